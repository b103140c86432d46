/** Something noticed about a text or a value: what is wrong, where, and the corrected form. Plain data, printed as it is in JSON. */
export interface Problem {
  /** Stable kebab-case word; `netctl explain CODE` says more. */
  readonly code: string;
  /** error: flanneld refuses it or it does harm now; warning: people regret it; info: worth knowing. */
  readonly severity: 'error' | 'warning' | 'info';
  /** Where: a JSON path such as `Backend.Type`, a key, a subnet; `''` for the whole. */
  readonly path: string;
  readonly message: string;
  /** The corrected form or the command to run. */
  readonly suggestion: string | null;
}
