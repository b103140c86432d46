/** The lab cannot do what was asked. The message says what stands in the way and what to do about it. */
export class LabError extends Error {
  override readonly name = 'LabError';
}
