/** The versions of this package, as package.json states it, and of what it runs on. */

import { readFileSync } from 'node:fs';
import { env } from 'onnxruntime-common';

const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

export const { version } = manifest;

/** Of the machine. */
export const platform = `${process.platform} ${process.arch}`;

export const versions = { node: process.versions.node, onnxruntime: env.versions.common };
