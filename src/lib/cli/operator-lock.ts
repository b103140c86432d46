import { randomBytes } from 'node:crypto';
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
 * Not for a dry run, which changes nothing. Not to be nested.
 * @param run its signal is aborted when the lock is lost: for work that changes things elsewhere than in this store
 * @throws Conflict `locked` when somebody else has it, and `lock-lost` out of a write
 */
export async function withOperatorLock<T>(
  command: NetctlCommand,
  opened: NetworkStore,
  options: { readonly breakLock: boolean; readonly doing: string },
  run: (lost: AbortSignal) => Promise<T>,
): Promise<T> {
  const mine = {
    owner: whoAmI(),
    pid: process.pid,
    version: command.config.version,
    doing: options.doing,
    since: new Date().toISOString(),
    id: randomBytes(8).toString('hex'),
  };
  const lock = await takeOperatorLock(opened.store, opened.prefix, mine, {
    breakLock: options.breakLock,
    ttlSeconds,
    breaking: (other) => command.say(`breaking the lock of ${nameOf(other)}`),
    lost: () => command.say('the lock ran out or was broken by somebody: no further change is begun'),
  });
  let release: Promise<void> | undefined;
  const giveBack = () => {
    release ??= lock.release().then((released) => {
      if (!released) command.say(`note: the lock could not be given back; it runs out within ${ttlSeconds} s`);
    });
    return release;
  };
  return withFarewell(giveBack, () => run(lock.lost));
}

function nameOf({ holder }: OtherLock): string {
  if (holder === undefined) return 'somebody unknown';
  const { owner, doing, pid, since } = holder;
  return `${owner}: ${doing}, process ${pid}, since ${since}`;
}
