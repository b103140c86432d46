/** How a netctl process ends. The table is public: `docs/exit-codes.md`, `netctl explain exit-codes`. */
export const exitCodes = {
  done: 0,
  bug: 1,
  invalid: 2,
  refused: 3,
  unreachable: 4,
  failed: 5,
  conflict: 6,
  problems: 10,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

export interface ErrorFields {
  /** A stable kebab-case word, the argument of `netctl explain CODE`; every one stands in `src/lib/explain`. */
  readonly code: string;
  /** One sentence: the thing first (host, endpoint, file and line), the offending value, the rule. */
  readonly message: string;
  /** What to do next: commands or corrected forms, one a line. */
  readonly next?: readonly string[];
  /** Further lines of evidence, shown under the message. */
  readonly details?: readonly string[];
  readonly cause?: unknown;
}

/**
 * A run that ended badly in a way that we foresaw. Anything else that is thrown is a bug (exit 1).
 * Texts from nodes or from etcd may stand in it unescaped: the printer makes them harmless.
 */
export abstract class NetctlError extends Error {
  abstract readonly exit: ExitCode;
  readonly code: string;
  readonly next: readonly string[];
  readonly details: readonly string[];

  constructor(fields: ErrorFields) {
    super(fields.message, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.name = new.target.name;
    this.code = fields.code;
    this.next = fields.next ?? [];
    this.details = fields.details ?? [];
  }
}

/** What was asked for is wrong: an argument, a flag, a file. Nothing was changed. */
export class InvalidInput extends NetctlError {
  readonly exit = exitCodes.invalid;
}

/** What was asked for would harm, so nothing was done. `next` names the flag or the safer command. */
export class Refused extends NetctlError {
  readonly exit = exitCodes.refused;
}

/** A host or an etcd endpoint did not answer, or did not let us in. */
export class Unreachable extends NetctlError {
  readonly exit = exitCodes.unreachable;
}

/** A change was begun and did not succeed. `details` says what was done before. */
export class ChangeFailed extends NetctlError {
  readonly exit = exitCodes.failed;
}

/** Somebody else changed the thing between our look and our write. Nothing was written; run it again. */
export class Conflict extends NetctlError {
  readonly exit = exitCodes.conflict;
}
