import { ChangeFailed, NetctlError, Unreachable } from '../errors';
import type { Host, Output } from '../host/host';
import { type Before, pushFile, removeFile, writeFile } from '../host/write-file';
import type { HostChange, NodeStep, SeenPath } from '../plan/host-change';

export interface CarryOut {
  readonly host: Host;
  /** A member of the flannel archive, opened anew each time. */
  readonly member: (name: Extract<HostChange, { kind: 'push' }>['member']) => AsyncIterable<Uint8Array>;
  /** Ends the change that is being made. */
  readonly signal?: AbortSignal;
  /** Lets the change that is being made end, and begins no further one. */
  readonly stop?: AbortSignal;
  /** Told before each change is made. */
  readonly doing?: (change: HostChange) => void;
  /** Told of a failure that undoes nothing (`undoesNothing`), so that further steps can be made; without it the step ends with it. */
  readonly tell?: (error: unknown) => void;
}

const commandTimeoutMs = 60_000;
/** A wait asks again after so long; on a busy node a question takes longer than the pause. */
const waitPauseMs = 500;

/**
 * Makes the changes of a step on one node, in their order, and stops at the first that fails; then what the step says for that
 * case is done. Whoever runs the same command again goes on from what is there then.
 * @throws ChangeFailed `node-change-failed`, and what the host, the files and etcd throw
 */
export async function carryOut(step: NodeStep, context: CarryOut): Promise<void> {
  const begun = new Set<HostChange>();
  const told: unknown[] = [];
  const tell = context.tell ?? ((error: unknown) => told.push(error));
  try {
    for (const change of step.changes) {
      context.signal?.throwIfAborted();
      if (context.stop?.aborted === true) throw stopped(context.host);
      context.doing?.(change);
      begun.add(change);
      try {
        await make(change, context);
      } catch (error) {
        if (change.kind !== 'run' || change.undoesNothing !== true) throw error;
        tell(error);
      }
    }
  } catch (error) {
    // Stopped between two changes nothing is broken; what is half done is finished by running the command again.
    const isStopped = error instanceof ChangeFailed && error.code === 'node-change-stopped';
    const undo = (step.undo ?? []).filter((each) => {
      if (!('of' in each)) return !isStopped;
      return begun.has(each.of) && (!isStopped || each.evenWhenStopped === true);
    });
    const failures = await takeBack(
      undo.map((each) => ('of' in each ? each.change : each)),
      context,
    );
    // Nothing but our own traces was tidied away: then it is the failure alone that counts.
    const isTidied = undo.every((each) => 'of' in each && each.evenWhenStopped === true);
    throw failures.length === 0 && isTidied ? error : undone(failures, error);
  }
  const [first] = told;
  if (first !== undefined) throw first;
}

function stopped(host: Host): ChangeFailed {
  return new ChangeFailed({
    code: 'node-change-stopped',
    message: `${host.name}: stopped before all was done`,
    next: ['Run the same command again: it goes on from here.'],
  });
}

/** @returns what could not be put back, and why */
async function takeBack(undo: readonly HostChange[], context: CarryOut): Promise<readonly string[]> {
  const failures: string[] = [];
  for (const change of undo) {
    try {
      // The signal may be what stopped us; what was there before is put back all the same.
      await make(change, { ...context, signal: new AbortController().signal });
    } catch (error) {
      failures.push(`${describe(change)}: ${error instanceof Error ? error.message : String(error)}`);
      // A host that is gone is not asked again for each of them: every question would wait its time out.
      if (error instanceof Unreachable) break;
    }
  }
  return failures;
}

function undone(failures: readonly string[], cause: unknown): ChangeFailed {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new ChangeFailed({
    code: 'node-change-undone',
    message:
      failures.length === 0
        ? `${message}; what was there before was put back`
        : `${message}; and it could not all be put back`,
    // What the command that failed has said stands there.
    details: [...(cause instanceof NetctlError ? cause.details : []), ...failures],
    ...(cause instanceof NetctlError ? { next: cause.next } : {}),
    cause,
  });
}

async function make(change: HostChange, context: CarryOut): Promise<void> {
  const { host, signal } = context;
  switch (change.kind) {
    case 'write': {
      const { path, mode, before } = change;
      await writeFile(host, { path, mode, before: beforeOf(before), owner: 'root:root' }, change.content, signal);
      return;
    }
    case 'push': {
      const { path, mode, before, sha256, sizeBytes, member } = change;
      const open = () => context.member(member);
      await run(host, ['mkdir', '-p', '--', path.slice(0, path.lastIndexOf('/'))], commandTimeoutMs, signal);
      await pushFile(
        host,
        { path, mode, before: beforeOf(before), owner: 'root:root' },
        { sha256, sizeBytes, open },
        signal,
      );
      return;
    }
    case 'remove': {
      const before = beforeOf(change.before);
      if (before !== 'absent') await removeFile(host, change.path, before, signal);
      return;
    }
    case 'folder':
      await run(host, ['install', '-d', '-m', change.mode.toString(8), '--', change.path], commandTimeoutMs, signal);
      return;
    case 'link':
      await run(
        host,
        ['sh', '-c', linkScript, 'sh', change.path, change.target, linkBefore(change.before)],
        commandTimeoutMs,
        signal,
      );
      return;
    case 'run':
      if (change.onlyIf !== undefined) {
        const { code } = await host.run({ argv: change.onlyIf, timeoutMs: commandTimeoutMs }, signal);
        if (code === 1) return;
      }
      await run(host, change.argv, change.timeoutMs ?? commandTimeoutMs, signal);
      return;
    case 'wait':
      await waitFor(host, change.argv, change.seconds, change.why, signal);
      return;
    default:
      change satisfies never;
  }
}

function beforeOf(seen: SeenPath): Before {
  switch (seen.kind) {
    case 'absent':
      return 'absent';
    case 'file':
      return { sha256: seen.sha256 };
    case 'anything':
    case 'link':
    case 'folder':
      // Ours, or written through, or refused by what writes: no sum can be compared.
      return 'anything';
    default:
      return seen satisfies never;
  }
}

/**
 * A new link beside the old one takes its place in one step; what is there must be as it was seen, and never a folder.
 * `ln -sfn` would first remove the old link, and through a link to a folder it would put the new one into it.
 */
const linkScript = `p=$1 t=$2 b=$3
if [ -L "$p" ]; then s=$(readlink "$p")
elif [ -e "$p" ]; then echo "$p is there and no link" >&2; exit 1
else s=; fi
[ "$s" = "$b" ] || [ "$s" = "$t" ] || { echo "$p leads to '$s', not to '$b' as it did before" >&2; exit 1; }
n=$p.netctl.$$
ln -s "$t" "$n" && mv -T "$n" "$p"`;

function linkBefore(seen: SeenPath): string {
  return seen.kind === 'link' ? seen.target : '';
}

async function run(
  host: Host,
  argv: readonly [string, ...string[]],
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<Output> {
  const output = await host.run({ argv, timeoutMs }, signal);
  if (output.code === 0) return output;
  const details = lastLines(output);
  // Where several nodes are told of in a list there is room for the message alone.
  const reason = details.length === 1 ? `: ${details[0] ?? ''}` : '';
  throw new ChangeFailed({
    code: 'node-change-failed',
    message: `${host.name}: ${shortWords(argv)} ended with ${output.code ?? output.signal ?? 'a signal'}${reason}`,
    details,
    next: adviceFor(argv),
  });
}

/** Scripts are long; what they are is told by their first words. */
function shortWords(argv: readonly string[]): string {
  const words = argv.slice(0, argv[0] === 'sh' ? 2 : argv.length).join(' ');
  return words.length > 160 ? `${words.slice(0, 160)}…` : words;
}

const mostLines = 12;

function lastLines(output: Output): readonly string[] {
  const text = Buffer.concat([output.stdout, output.stderr]).toString('utf8').trim();
  return text === '' ? [] : text.split('\n').slice(-mostLines);
}

function adviceFor(argv: readonly string[]): readonly string[] {
  const [program, verb, unit] = argv;
  if (program === 'systemctl' && unit !== undefined && (verb === 'restart' || verb === 'start')) {
    return [`On the node: systemctl status ${unit}; journalctl -u ${unit} -n 50`];
  }
  if (program === 'supervisorctl') return ['On the node: supervisorctl status; supervisorctl tail flanneld'];
  return [];
}

async function waitFor(
  host: Host,
  argv: readonly [string, ...string[]],
  seconds: number,
  what: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    const output = await host.run({ argv, timeoutMs: commandTimeoutMs }, signal);
    if (output.code === 0) return;
    if (performance.now() > deadline) {
      throw new ChangeFailed({
        code: 'node-wait-timeout',
        message: `${host.name}: after ${seconds} s it is still not so that ${what}`,
        details: lastLines(output),
        next: ['On the node: journalctl -u flanneld -n 50; journalctl -u docker -n 50'],
      });
    }
    await new Promise((resolve) => setTimeout(resolve, waitPauseMs));
  }
}

/** A change in a few words, for progress and plans. */
export function describe(change: HostChange): string {
  switch (change.kind) {
    case 'write':
      return `${change.before.kind === 'absent' ? 'write' : 'change'} ${change.path}`;
    case 'push':
      return `push ${change.path}`;
    case 'remove':
      return `remove ${change.path}`;
    case 'folder':
      return `folder ${change.path}`;
    case 'link':
      return `link ${change.path} -> ${change.target}`;
    case 'run':
      return `run ${change.argv.join(' ')}`;
    case 'wait':
      return `wait: ${change.why}`;
    default:
      return change satisfies never;
  }
}
