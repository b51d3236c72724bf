/** Stands before the names of what repairs add to a model. */
export const mitigatePrefix = 'nc/mitigate/';
