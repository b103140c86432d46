import { createHash } from 'node:crypto';
import type { Known } from '../fact/fact';
import type { FileContent, FileFact, FileState, FileSum } from '../fact/files';
import type { MemberName } from '../net/flannel-archive';
import type { NodeFile } from './node-file';

/** A path as it was when the plan was made. */
export type SeenPath =
  | { readonly kind: 'absent' }
  /** `text` is there when it may be shown in a difference. */
  | { readonly kind: 'file'; readonly sha256: string; readonly mode: number; readonly text: string | null }
  /** `behind`: what it leads to in the end, where that was looked at; `absent` when it leads nowhere. */
  | { readonly kind: 'link'; readonly target: string; readonly behind?: SeenBehind }
  | { readonly kind: 'folder'; readonly mode: number }
  /** A scratch file of our own: whatever a run of before has left there may go. */
  | { readonly kind: 'anything' };

type SeenBehind = Extract<SeenPath, { readonly kind: 'absent' | 'file' | 'folder' }>;

/** One thing that ought to change on a node, as plain data. Paths are absolute; the owner is root. */
export type HostChange =
  | {
      readonly kind: 'write';
      readonly path: string;
      readonly mode: number;
      readonly content: Uint8Array;
      readonly before: SeenPath;
      /** Never shown, not even as a difference. */
      readonly isSecret: boolean;
      readonly why: string;
    }
  | {
      readonly kind: 'push';
      readonly path: string;
      readonly mode: number;
      readonly member: MemberName;
      readonly sha256: string;
      readonly sizeBytes: number;
      readonly before: SeenPath;
      readonly why: string;
    }
  | { readonly kind: 'remove'; readonly path: string; readonly before: SeenPath; readonly why: string }
  | { readonly kind: 'folder'; readonly path: string; readonly mode: number; readonly why: string }
  | {
      readonly kind: 'link';
      readonly path: string;
      readonly target: string;
      readonly before: SeenPath;
      readonly why: string;
    }
  | {
      readonly kind: 'run';
      readonly argv: readonly [string, ...string[]];
      readonly timeoutMs?: number;
      /** Left out when this ends with 1: what the change before it stops may clean up by itself. */
      readonly onlyIf?: readonly [string, ...string[]];
      /** A failure takes nothing back and holds nothing up; it is told when the changes behind it are made. */
      readonly undoesNothing?: true;
      readonly why: string;
    }
  /** Runs a command again and again until it succeeds. */
  | {
      readonly kind: 'wait';
      readonly argv: readonly [string, ...string[]];
      readonly seconds: number;
      readonly why: string;
    };

/** What takes one change back, and is done only when that was begun: Docker is not restarted for a file that was refused. */
export interface Undo {
  readonly of: HostChange;
  readonly change: HostChange;
  /** Also when the run was stopped between two changes, where all else stays as it is: what nobody would bring back later. */
  readonly evenWhenStopped?: true;
}

/** Changes that belong together. When one fails those behind it are not made, and `undo` is. */
export interface NodeStep {
  readonly title: string;
  readonly changes: readonly HostChange[];
  /** Only one node at a time is in a step of this name. */
  readonly oneAtATime?: 'docker-restart';
  /** In this order; a bare change whatever was begun. */
  readonly undo?: readonly (HostChange | Undo)[];
  /** For the person who approves: what stops, what comes back. */
  readonly mind: readonly string[];
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** What was seen of a path; undefined when that is not known, so that nothing may be planned on it. */
export function seenText(facts: Known<ReadonlyMap<string, FileFact<FileContent>>>, path: string): SeenPath | undefined {
  const fact = facts.known ? facts.value.get(path) : undefined;
  if (fact === undefined || !fact.known) return undefined;
  if (!fact.value.present) return { kind: 'absent' };
  const { kind, mode, target, through, bytes } = fact.value;
  if (kind !== 'link') return seenBehind(kind, mode, bytes);
  const behind =
    through === null ? { kind: 'absent' as const } : through && seenBehind(through.kind, through.mode, bytes);
  return { kind: 'link', target: target ?? '', ...(behind === undefined ? {} : { behind }) };
}

function seenBehind(kind: FileState['kind'], mode: number, bytes: Uint8Array | null): SeenBehind | undefined {
  if (kind === 'folder') return { kind: 'folder', mode };
  if (kind !== 'file' || bytes === null) return undefined;
  return { kind: 'file', sha256: sha256Of(bytes), mode, text: Buffer.from(bytes).toString('utf8') };
}

/** A path as one sees it who reads it and writes to it: a link stands for what it leads to. Undefined when that is not known. */
export function throughLink(seen: SeenPath | undefined): Exclude<SeenPath, { readonly kind: 'link' }> | undefined {
  return seen?.kind === 'link' ? seen.behind : seen;
}

export function seenSum(facts: Known<ReadonlyMap<string, FileFact<FileSum>>>, path: string): SeenPath | undefined {
  const fact = facts.known ? facts.value.get(path) : undefined;
  if (fact === undefined || !fact.known) return undefined;
  if (!fact.value.present) return { kind: 'absent' };
  const { kind, mode, target, sha256 } = fact.value;
  if (kind === 'link') return { kind: 'link', target: target ?? '' };
  if (kind === 'folder') return { kind: 'folder', mode };
  return sha256 === null ? undefined : { kind: 'file', sha256, mode, text: null };
}

/** An environment file may hold the password for etcd, which is never to be shown. */
export function holdsPassword(seen: Extract<SeenPath, { kind: 'file' }>): boolean {
  return /PASSWORD/i.test(seen.text ?? '');
}

/** What must be done so that the files are there as wished; those that are right already are left out. */
export function fileChanges(
  files: readonly NodeFile[],
  seen: (path: string) => SeenPath | undefined,
): { readonly changes: readonly HostChange[]; readonly unknown: readonly string[] } {
  const changes: HostChange[] = [];
  const unknown: string[] = [];
  for (const file of files) {
    const before = seen(file.path);
    if (before === undefined) {
      unknown.push(file.path);
      continue;
    }
    switch (file.kind) {
      case 'file': {
        if (file.onlyIfAbsent === true && before.kind !== 'absent') break;
        const content = typeof file.content === 'string' ? Buffer.from(file.content) : file.content;
        const there = throughLink(before);
        const isFile = there?.kind === 'file';
        const isRight = isFile && there.sha256 === sha256Of(content) && there.mode === file.mode;
        if (!isRight) {
          const { path, mode, why } = file;
          // What stands there now is shown as well, and may hold the password that goes.
          const isSecret = file.isSecret || (isFile && holdsPassword(there));
          changes.push({ kind: 'write', path, mode, content, before: isFile ? there : before, isSecret, why });
        }
        break;
      }
      case 'directory':
        // One that is there may be used by others, as /etc/etcd/ssl by etcd: its mode is theirs. So is where a link leads.
        if (before.kind !== 'folder' && before.kind !== 'link') {
          changes.push({ kind: 'folder', path: file.path, mode: file.mode, why: file.why });
        }
        break;
      case 'link':
        if (before.kind !== 'link' || before.target !== file.target) {
          changes.push({ kind: 'link', path: file.path, target: file.target, before, why: file.why });
        }
        break;
      default:
        file satisfies never;
    }
  }
  return { changes, unknown };
}
