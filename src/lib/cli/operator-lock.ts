import { randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { type OtherLock, takeOperatorLock } from '../engine/operator-lock';
import type { NetctlCommand } from './command';
import { withFarewell } from './interrupt';
import type { NetworkStore } from './session';
import { whoAmI } from './who-am-i';

/** A run that was killed keeps others out for so long. */
const ttlSeconds = 60;

/**
 * Runs a piece of work as the only operator of the network. Until it ends, writes through `opened.store` are made only as
 * long as the lock is ours: in etcd v3 by the same transaction. The lock is given back at the end and on Ctrl-C; a run
 * that is killed leaves it to run out.
 *
 * A person who changes leases is told at once when somebody else does (`waitSeconds` 0). Work on nodes, which needs the lock for a
 * moment and whose plan is guarded lease by lease, waits its turn.
 *
 * Not for a dry run, which changes nothing. Not to be nested.
 * @param run its signal is aborted when the lock is lost: for work that changes things elsewhere than in this store. `stillOurs` asks
 * etcd at once, and throws Conflict `lock-lost`: before whatever no write of etcd guards
 * @throws Conflict `locked` when somebody else has it, and `lock-lost` out of a write
 */
export async function withOperatorLock<T>(
  command: NetctlCommand,
  opened: NetworkStore,
  options: { readonly breakLock: boolean; readonly doing: string; readonly waitSeconds?: number },
  run: (lost: AbortSignal, stillOurs: () => Promise<void>) => Promise<T>,
): Promise<T> {
  const mine = {
    owner: whoAmI(),
    pid: process.pid,
    machine: machine(),
    version: command.config.version,
    doing: options.doing,
    since: new Date().toISOString(),
    id: randomBytes(8).toString('hex'),
  };
  const lock = await takeOperatorLock(opened.store, opened.prefix, mine, {
    breakLock: options.breakLock,
    waitSeconds: options.waitSeconds ?? 0,
    waiting: (other) => command.say(`waiting for the lock of ${nameOf(other)}`),
    ttlSeconds,
    isGone: (holder) => holder.machine !== '' && holder.machine === mine.machine && !isRunning(holder.pid),
    breaking: (other, isGone) =>
      command.say(
        isGone
          ? `note: a run that was cut off has left its lock, which is taken over: ${nameOf(other)}`
          : `breaking the lock of ${nameOf(other)}`,
      ),
    lost: () => command.say('the lock ran out or was broken by somebody: no further change is begun'),
  });
  let release: Promise<void> | undefined;
  const giveBack = (isCutOff: boolean) => {
    release ??= lock.release(isCutOff).then((released) => {
      if (!released) command.say(`note: the lock could not be given back; it runs out within ${ttlSeconds} s`);
    });
    return release;
  };
  return withFarewell(giveBack, () => run(lock.lost, () => lock.stillOurs()));
}

/**
 * Two processes with the same answer see the same process numbers: the id of this start of the kernel, which no other machine
 * shares, and the namespace. A host name would not do, containers and clones of machines share it.
 */
function machine(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return '';
  }
}

/** A number that has been given to another process since looks as if it ran, which is the safe side. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}

function nameOf({ holder }: OtherLock): string {
  if (holder === undefined) return 'somebody unknown';
  const { owner, doing, pid, since } = holder;
  return `${owner}: ${doing}, process ${pid}, since ${since}`;
}
