import { etcdCalm } from '../check/etcd-calm';
import { judgeLease } from '../check/lease-evidence';
import { goneInAll, type ReadReport } from '../check/lease-report';
import { boundTombstones, type RemovalOutcome, removeLeases } from '../engine/remove-leases';
import { NetctlError, Refused } from '../errors';
import type { Lease } from '../net/lease';
import { findLeases } from '../net/subnet-query';
import { readTombstones, tombstonesPrefix } from '../net/tombstone';
import { defaultMax, isMassDeath, planRemoval } from '../plan/reclaim';
import type { EndpointStatus, Entry } from '../store/store';
import { plural } from '../view/count';
import type { ReclaimDocument, ReclaimItem, ReclaimState } from '../view/subnet-reclaim';
import type { NetctlCommand } from './command';
import { beginNoMore, uninterrupted } from './interrupt';
import { type EvidenceOptions, type JudgedLease, judgeLeases } from './lease-evidence';
import { reservationOf } from './look-at-leases';
import { withOperatorLock } from './operator-lock';
import { readReservationsOf } from './reserve-scene';
import type { NetworkReading, Session } from './session';
import { whoAmI } from './who-am-i';

export interface ReclaimOptions extends EvidenceOptions {
  /** SUBNET or NODE, as typed. */
  readonly named: readonly string[];
  readonly reports: readonly ReadReport[];
  readonly minGapSeconds: number;
  /** Undefined: a tenth of the leases, five at most. */
  readonly max: number | undefined;
  readonly dryRun: boolean;
  readonly breakLock: boolean;
  /** Shows the plan and asks; throws `Refused` when it is not to be done. */
  readonly approve: (document: ReclaimDocument) => Promise<void>;
}

const doing = 'netctl subnets reclaim';

/**
 * Look, judge, show, approve, take away, look again.
 * @throws Refused `etcd-not-calm`, `mass-death`, and what the reports and the approval throw
 */
export async function reclaim(
  command: NetctlCommand,
  session: Session,
  options: ReclaimOptions,
): Promise<ReclaimDocument> {
  const network = await session.network();
  const { store } = network;
  const earlier = await store.status();
  const warnings = [...requireCalm(earlier, [])];

  const entries = new Map<string, Entry>(Array.from(network.snapshot.entries, (entry) => [entry.key, entry]));
  const { leases: candidates, isBroad } = chooseLeases(command, session, network, entries, options);
  const { judged, notLookedAt } = await judgeLeases(command, session, network, candidates, options);
  if (notLookedAt.length > 0) {
    warnings.push(`${plural(notLookedAt.length, 'lease')} with more time left were not looked at: too many at once`);
  }

  const silent = judged.filter(({ judgement: { verdict } }) => verdict === 'proven-gone' || verdict === 'not-proven');
  const dark = silent.length + notLookedAt.length;
  const massDeath = isBroad && isMassDeath(dark, candidates.length);
  if (massDeath) {
    warnings.push(
      `${dark} of ${plural(candidates.length, 'lease')} look dead at once: see whether netctl sees well from here; without their names nothing is taken away`,
    );
  }
  const max = options.max ?? defaultMax(network.leases.leases.length);
  const gone = judged.filter(({ judgement }) => judgement.verdict === 'proven-gone');
  const chosen = gone.slice(0, max);
  // Who asks for some is told of each; who asks for all, of those that do not live.
  const shownAlive = options.named.length > 0 || options.reports.length > 0;
  const document = (
    states: ReadonlyMap<string, Pick<ReclaimItem, 'state' | 'error'>>,
    applied: boolean,
    kept: ReadonlyMap<string, JudgedLease> = new Map(),
  ): ReclaimDocument => ({
    prefix: network.prefix,
    api: network.api,
    clusterId: network.snapshot.clusterId,
    applied,
    max,
    alive: judged.filter(({ judgement: { verdict } }) => verdict === 'alive').length,
    warnings,
    items: judged.flatMap((one) => {
      if (!shownAlive && one.judgement.verdict === 'alive') return [];
      const { key } = one.look.lease;
      const state: ReclaimState = gone.includes(one) && !kept.has(key) ? 'over-max' : 'left';
      return [itemOf(kept.get(key) ?? one, states.get(key) ?? { state, error: null })];
    }),
  });
  const planned = new Map(chosen.map(({ look }) => [look.lease.key, { state: 'planned', error: null } as const]));
  const shown = document(planned, false);
  if (options.dryRun || chosen.length === 0) return shown;
  if (massDeath) throw massDeathOf(silent, dark, candidates.length);
  await options.approve(shown);

  return withOperatorLock(command, network, { breakLock: options.breakLock, doing }, async (lost) => {
    // A person may have thought about it for a while, and somebody else have reserved one meanwhile: that leaves its key as it was read.
    requireCalm(earlier, await store.status());
    const reservations = await readReservationsOf(network);
    const reserved = new Map(
      chosen.flatMap(({ look }): [string, JudgedLease][] => {
        const reservation = reservationOf(look.lease, reservations);
        if (reservation === null) return [];
        const now = { ...look, reservation };
        return [[look.lease.key, { look: now, judgement: judgeLease(now, options) }]];
      }),
    );
    const kept = readTombstones((await store.snapshot(tombstonesPrefix(network.prefix))).entries, network.prefix);
    const context = {
      prefix: network.prefix,
      api: network.api,
      tombstones: kept,
      now: new Date(),
      who: whoAmI(),
      command: doing,
    };
    const removals = chosen.flatMap(({ look, judgement }) => {
      const entry = entries.get(look.lease.key);
      if (entry === undefined || reserved.has(look.lease.key)) return [];
      const reasons = [
        judgement.why,
        ...judgement.evidence.map(({ name, speaks, text }) => `${name} (${speaks}): ${text}`),
      ];
      return [planRemoval({ lease: look.lease, entry, ttlSeconds: look.ttlSeconds, reasons }, context)];
    });
    const outcomes = await uninterrupted(async () => {
      const done = await removeLeases(removals, store, { stop: AbortSignal.any([beginNoMore, lost]) });
      await boundTombstones(kept, store);
      return done;
    });
    return document(await lookAgain(session, network, outcomes), outcomes.length > 0, reserved);
  });
}

function requireCalm(earlier: readonly EndpointStatus[], later: readonly EndpointStatus[]): readonly string[] {
  const { trouble, warnings } = etcdCalm(earlier, later);
  if (trouble === null) return warnings;
  throw new Refused({
    code: 'etcd-not-calm',
    message: `${trouble}; leases do not tell the truth then, so none was taken away`,
    details: warnings,
    next: ['See how etcd is: etcdctl endpoint status, etcdctl alarm list', 'Try again some minutes after it is well.'],
  });
}

function chooseLeases(
  command: NetctlCommand,
  session: Session,
  network: NetworkReading,
  entries: ReadonlyMap<string, Entry>,
  { named, reports, minGapSeconds }: ReclaimOptions,
): { readonly leases: readonly Lease[]; readonly isBroad: boolean } {
  const { leases } = network.leases;
  const inReports =
    reports.length === 0
      ? undefined
      : goneInAll(
          reports,
          { api: network.api, clusterId: network.snapshot.clusterId, prefix: network.prefix },
          entries,
          minGapSeconds,
        );
  const keys = new Set<string>();
  // One by one: a range that holds several leases names none of them.
  let isBroad = named.length === 0 && inReports === undefined;
  for (const query of named) {
    const found = findLeases(query, leases, session.inventory?.nodes ?? []);
    if (found.length === 0) command.say(`note: nobody holds ${query}, so there is nothing to reclaim`);
    if (inReports === undefined && found.length > 1 && found.some(({ by }) => by === 'subnet')) isBroad = true;
    for (const { lease } of found) keys.add(lease.key);
  }
  const chosen = leases.filter(
    ({ key }) => (named.length === 0 || keys.has(key)) && (inReports === undefined || inReports.has(key)),
  );
  return { leases: chosen, isBroad };
}

function itemOf({ look, judgement }: JudgedLease, become: Pick<ReclaimItem, 'state' | 'error'>): ReclaimItem {
  const { lease, node, ttlSeconds } = look;
  return {
    subnet: lease.subnetText,
    key: lease.key,
    revision: lease.revision,
    publicIP: lease.publicIP,
    node,
    expiresInSeconds: ttlSeconds,
    ...judgement,
    ...become,
  };
}

function massDeathOf(silent: readonly JudgedLease[], dark: number, all: number): Refused {
  return new Refused({
    code: 'mass-death',
    message: `${dark} of ${plural(all, 'lease')} look dead at once, which rather means that netctl does not see well from here; nothing was done`,
    details: silent
      .slice(0, 20)
      .map(
        ({ look: { lease, node }, judgement }) =>
          `${lease.subnetText}  ${node ?? lease.publicIP ?? ''}: ${judgement.verdict}, ${judgement.why}`,
      ),
    next: [
      'See whether the network between here, etcd and the nodes is well: netctl node status --all',
      'When they are dead: name them one by one, or make two reports (netctl subnets check --report FILE).',
    ],
  });
}

/** etcd v2 looks for what has expired twice a second. */
const expiryMs = 10_000;

/** What was acknowledged and what etcd now holds are two questions. */
async function lookAgain(
  session: Session,
  network: NetworkReading,
  outcomes: readonly RemovalOutcome[],
): Promise<ReadonlyMap<string, Pick<ReclaimItem, 'state' | 'error'>>> {
  const removed = outcomes.filter(({ kind }) => kind === 'removed');
  const deadline = performance.now() + (network.api === 'v2' ? expiryMs : 0);
  let there: ReadonlySet<string>;
  let unseen: string | null = null;
  try {
    for (;;) {
      const { leases } = (await session.network(network)).leases;
      there = new Set(leases.map(({ key }) => key));
      if (!removed.some(({ key }) => there.has(key)) || performance.now() >= deadline) break;
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  } catch (error) {
    if (!(error instanceof NetctlError)) throw error;
    there = new Set();
    unseen = `etcd acknowledged it, but could not be looked at again: ${error.message}`;
  }
  const stateOf = (outcome: RemovalOutcome): Pick<ReclaimItem, 'state' | 'error'> => {
    switch (outcome.kind) {
      case 'removed':
        if (unseen !== null) return { state: 'failed', error: unseen };
        return there.has(outcome.key)
          ? { state: 'conflict', error: 'somebody has written it again: its node lives' }
          : { state: 'reclaimed', error: null };
      case 'conflict':
        // It was about to end when it was read, or a run before was cut off while etcd let it expire.
        if (unseen === null && outcome.error.code !== 'lock-lost' && !there.has(outcome.key)) {
          return { state: 'ended', error: null };
        }
        return { state: outcome.error.code === 'lock-lost' ? 'failed' : 'conflict', error: outcome.error.message };
      case 'failed':
        return { state: 'failed', error: outcome.error.message };
      case 'skipped':
        return { state: 'skipped', error: null };
      default:
        return outcome satisfies never;
    }
  };
  return new Map(outcomes.map((outcome) => [outcome.key, stateOf(outcome)]));
}
