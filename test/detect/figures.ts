/** Figures of an inversion that a scripted pool gives for each, where a test asks for its norm only. */
export const figures = {
  asr: 1,
  probe: 2,
  steps: 1,
  gradientSteps: 1,
  stopped: 'steps' as const,
  seconds: 0,
  runtimeMs: 0,
};
