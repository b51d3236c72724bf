/** The form that preprocessing has in JSON files and jobs. */

import { z } from 'zod';

export const preprocessSchema = z.strictObject({
  name: z.string(),
  range: z.number(),
  mean: z.array(z.number()),
  std: z.array(z.number()),
  order: z.enum(['rgb', 'bgr']),
});
