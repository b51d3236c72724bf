/** The bar on top of every screen. */

import type { ComponentChildren } from 'preact';

export const Brand = ({ children }: { readonly children?: ComponentChildren }) => (
  <div class="bar">
    <div class="page">
      <p class="name">Neural Cleanse</p>
      <p class="local">
        <span aria-hidden="true">●</span> Stays on this machine
      </p>
      {children && <div class="actions">{children}</div>}
    </div>
  </div>
);
