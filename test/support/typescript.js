// Lets plain `node --import` run TypeScript sources, in the process itself and in those it starts. Node 20 cannot.
import { register } from 'node:module';

register('./typescript-hooks.js', import.meta.url);
