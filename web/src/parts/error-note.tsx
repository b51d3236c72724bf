/** An error where it arose: what happened, what to do, and its code for those who look it up. */

import type { ShownError } from '../errors.ts';

export const ErrorNote = ({ error }: { readonly error: ShownError | undefined }) =>
  error === undefined ? null : (
    <div class="error" role="alert">
      <p>
        <strong>{error.message}</strong>
      </p>
      {error.hint && <p>{error.hint}</p>}
      <p>
        <code>{error.code}</code>
      </p>
    </div>
  );
