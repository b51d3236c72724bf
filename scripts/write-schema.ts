/** Writes docs/scan.schema.json, the JSON Schema of scan.json. Run by `npm run schema`, which formats it too. */

import { writeFileSync } from 'node:fs';
import { scanJsonSchema } from '../src/report/result.ts';

writeFileSync(
  new URL('../docs/scan.schema.json', import.meta.url),
  JSON.stringify(scanJsonSchema(), undefined, 2),
);
