import type { ExitCode } from '../errors';

/** What `netctl explain CODE` says about one error or problem. Texts are ours, in full sentences; no value of a run stands in them. */
export interface Topic {
  /** The `code` of a `NetctlError` or a `Problem`: a kebab-case word. */
  readonly code: string;
  /** One line without a full stop. */
  readonly title: string;
  /** How a run ends that fails with it; absent for a problem that is only reported. */
  readonly exit?: ExitCode | 130;
  readonly meaning: string;
  readonly causes: readonly string[];
  /** What to do about it, the surest first; commands stand in them as they are typed. */
  readonly mend: readonly string[];
  /** Other codes, commands or documents. */
  readonly see?: readonly string[];
}
