import { judgeLease, type LeaseJudgement, type LeaseLook } from '../check/lease-evidence';
import type { Lease } from '../net/lease';
import { readReservations, reservationsPrefix } from '../net/reservation';
import { safeText } from '../view/safe-text';
import type { NetctlCommand } from './command';
import { lookAtLeases } from './look-at-leases';
import { openHosts } from './nodes';
import type { NetworkReading, Session } from './session';

export interface EvidenceOptions {
  readonly atOnce: number;
  readonly hostKey: 'strict' | 'accept-new' | 'off' | undefined;
  readonly renewMarginSeconds: number;
}

export interface JudgedLease {
  readonly look: LeaseLook;
  readonly judgement: LeaseJudgement;
}

/** Looks at leases and judges each, with a line for the person who waits. */
export async function judgeLeases(
  command: NetctlCommand,
  session: Session,
  network: NetworkReading,
  candidates: readonly Lease[],
  options: EvidenceOptions,
): Promise<{ readonly judged: readonly JudgedLease[]; readonly notLookedAt: readonly Lease[] }> {
  const hosts = await openHosts({ hostKey: options.hostKey });
  const { isTerminal, columns } = command.talkScreen;
  let isShown = false;
  const show = (line: string): void => {
    if (!isTerminal) return;
    isShown = true;
    process.stderr.write(`\r\x1b[K${safeText(line).slice(0, Math.max(columns - 1, 0))}`);
  };
  try {
    const kept = await network.store.snapshot(reservationsPrefix(network.prefix));
    const { looks, notLookedAt } = await lookAtLeases(network, candidates, {
      inventory: session.inventory,
      hosts,
      reservations: readReservations(kept.entries, network.prefix),
      atOnce: options.atOnce,
      doing: show,
    });
    return { judged: looks.map((look) => ({ look, judgement: judgeLease(look, options) })), notLookedAt };
  } finally {
    if (isShown) process.stderr.write('\r\x1b[K');
    hosts.close();
  }
}
