import type { Command, Output } from '../host/host';

/** What we know of a node. Unknown is a value of its own, never `false` and never empty. */
export type Known<T> = { readonly known: true; readonly value: T } | Unknown;

export interface Unknown {
  readonly known: false;
  /** One clause for a person, such as `iptables-save: permission denied`. Text of the node may stand in it, cut short. */
  readonly why: string;
}

/** What a node must offer so that a fact can be had; the preflight says it. */
export interface Requires {
  /** `all`: nothing without root. `part`: without root some of it is missing. */
  readonly root: 'none' | 'part' | 'all';
  /** Programs beyond a shell and coreutils; of a group one is enough. */
  readonly programs: readonly (readonly string[])[];
}

/**
 * A question to a node, and how its answer is read.
 *
 * A fact only looks: its command changes nothing, reads nothing from standard input and ends by itself. What it prints is never
 * trusted: `parse` is pure and never throws.
 */
export interface Fact<T> {
  /** What it tells, in kebab-case words; with its arguments where it has some. */
  readonly name: string;
  readonly command: Omit<Command, 'stdin' | 'secret'>;
  readonly requires: Requires;
  readonly parse: (output: Output) => Known<T>;
}

export type Facts = Readonly<Record<string, Fact<unknown>>>;

/** What a record of facts is answered with: each under its own key, with its own type. */
export type Answers<F extends Facts> = {
  readonly [K in keyof F]: F[K] extends Fact<infer T> ? Known<T> : never;
};

export function known<T>(value: T): Known<T> {
  return { known: true, value };
}

export function unknown(why: string): Unknown {
  return { known: false, why };
}

/** An answer of ordinary length; a fact that needs more says so in its command. */
export const defaultAnswerBytes = 64 * 1024;

/** How long one fact may take unless its command says otherwise. */
export const defaultFactTimeoutMs = 5_000;

export const nothingElse: Requires = { root: 'none', programs: [] };

/** A fact asked by a few lines of POSIX shell. The arguments are words of the shell's `$@`, never part of its text. */
export function shellCommand(text: string, ...args: readonly string[]): Fact<unknown>['command'] {
  return { argv: ['sh', '-c', text, 'sh', ...args] };
}
