/** Objects whose unknown keys are errors that name the known ones. */

import { z } from 'zod';

export const closedObject = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? `unknown ${issue.keys.map((key) => `"${key}"`).join(', ')}; the keys here are ${Object.keys(shape).join(', ')}`
        : undefined,
  });

/** What zod found wrong, in a sentence without its stop: `training.epochs: too small: expected number to be >0`. */
export const describeIssues = ({ issues }: z.ZodError): string =>
  issues
    .map(({ path, message }) => {
      const said = message.charAt(0).toLowerCase() + message.slice(1);
      return path.length === 0 ? said : `${path.join('.')}: ${said}`;
    })
    .join('; ');
