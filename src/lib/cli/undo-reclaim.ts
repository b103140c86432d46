import { execute } from '../engine/execute';
import { Conflict, InvalidInput, NetctlError } from '../errors';
import { cidrsOverlap } from '../net/cidr';
import { type Lease, readLease } from '../net/lease';
import { type Reservation, readReservations, reservationsPrefix } from '../net/reservation';
import { readTombstones, type StoredTombstone, tombstonesPrefix } from '../net/tombstone';
import { expiring } from '../plan/reset-lease';
import { planUndo, planUndos, type UndoPlan } from '../plan/undo-reclaim';
import type { Store } from '../store/store';
import type { UndoDocument, UndoItem, UndoState } from '../view/subnet-undo';
import type { NetctlCommand } from './command';
import { beginNoMore, uninterrupted } from './interrupt';
import { withOperatorLock } from './operator-lock';
import type { NetworkReading, Session } from './session';

export interface UndoOptions {
  /** SUBNET, as typed; empty: only a list. */
  readonly subnets: readonly string[];
  readonly dryRun: boolean;
  readonly breakLock: boolean;
  /** Shows what would come back and asks; throws `Refused` when it is not to be done. */
  readonly approve: (document: UndoDocument) => Promise<void>;
}

/** Lists what netctl has taken away, or puts it back. @throws InvalidInput `nothing-to-undo` */
export async function undoReclaim(
  command: NetctlCommand,
  session: Session,
  options: UndoOptions,
): Promise<UndoDocument> {
  const opened = await session.networkStore();
  const { store, prefix } = opened;
  const look = async () => {
    const network = await session.network(opened);
    const kept = await store.snapshot(tombstonesPrefix(prefix));
    const reserved = await store.snapshot(reservationsPrefix(prefix));
    return {
      network,
      tombstones: readTombstones(kept.entries, prefix),
      reservations: readReservations(reserved.entries, prefix).reservations,
    };
  };
  const { network, tombstones, reservations } = await look();
  const isList = options.subnets.length === 0;
  const isHeld = (subnet: string): boolean => {
    const text = asCidr(subnet);
    return network.leases.leases.some(({ subnetText }) => subnetText === text);
  };
  const chosen = isList
    ? tombstones
    : options.subnets.flatMap((subnet) => {
        const found = lastOf(subnet, tombstones);
        if (found !== undefined) return found;
        if (!isHeld(subnet)) throw nothingToUndo(subnet);
        command.say(`note: ${subnet} is there, and netctl keeps nothing else of it: nothing to put back`);
        return [];
      });
  const context = { ...contextOf(network), reservations };
  const plans = isList ? chosen.map((each) => planUndo(each, context)) : planUndos(chosen, context);
  const shown: UndoDocument = { prefix, applied: false, items: plans.map((plan) => itemOf(plan)) };
  const isAny = plans.some(({ fit }) => fit === 'free' || fit === 'there');
  if (isList || options.dryRun || !isAny) return shown;
  if (plans.some(({ fit }) => fit === 'free')) await options.approve(shown);

  return withOperatorLock(
    command,
    opened,
    { breakLock: options.breakLock, doing: 'netctl subnets undo' },
    async (lost) => {
      const stop = AbortSignal.any([beginNoMore, lost]);
      const items: UndoItem[] = [];
      for (const plan of plans) {
        items.push(
          stop.aborted
            ? itemOf(plan, { state: 'failed', why: 'it was not begun' })
            : await uninterrupted(() => putBackAsItIs(plan, look, () => session.network(opened))),
        );
      }
      return { prefix, applied: items.some(({ state }) => state === 'restored'), items };
    },
  );
}

interface Looked {
  readonly network: NetworkReading;
  readonly tombstones: readonly StoredTombstone[];
  readonly reservations: readonly Reservation[];
}

/** A person may have thought about it for a while: planned anew, then done. */
async function putBackAsItIs(
  shown: UndoPlan,
  look: () => Promise<Looked>,
  lookAgain: () => Promise<NetworkReading>,
): Promise<UndoItem> {
  let looked: Looked;
  try {
    looked = await look();
  } catch (error) {
    return itemOf(shown, failureOf(error));
  }
  const { network, tombstones, reservations } = looked;
  const kept = tombstones.find(({ ownKey }) => ownKey === shown.tombstone.ownKey);
  const now = planUndo(kept ?? shown.tombstone, { ...contextOf(network), reservations });
  if (kept === undefined && now.fit === 'there') return itemOf(now, { state: 'there', why: null });
  if (now.fit === 'free' && (kept === undefined || shown.fit !== 'free')) {
    const why = `${kept === undefined ? 'its record is gone' : 'it has changed'} since it was shown: look again`;
    return itemOf(now, { state: 'conflict', why });
  }
  if (now.fit === 'taken' && shown.fit === 'free') return itemOf(now, { state: 'conflict', why: now.why });
  return itemOf(now, await putBack(now, network.store, lookAgain));
}

function contextOf({ prefix, api, version, leases, effective }: NetworkReading) {
  return { prefix, api, version, leases: leases.leases, effective };
}

function asCidr(subnet: string): string {
  return subnet.trim().replace(/-(\d{1,2})$/, '/$1');
}

/** Of several states of one subnet the last one. */
function lastOf(subnet: string, tombstones: readonly StoredTombstone[]): StoredTombstone | undefined {
  const text = asCidr(subnet);
  return tombstones.find((each) => each.subnet === text || each.key === subnet);
}

function nothingToUndo(subnet: string): InvalidInput {
  return new InvalidInput({
    code: 'nothing-to-undo',
    message: `netctl has not taken ${JSON.stringify(subnet)} away from this network`,
    next: [
      'See what can be put back: netctl subnets undo',
      'Name it as it stands there: netctl subnets undo 10.5.1.0/24',
    ],
  });
}

function itemOf(plan: UndoPlan, outcome?: { readonly state: UndoState; readonly why: string | null }): UndoItem {
  const { tombstone, fit, why, publicIP, ttlSeconds } = plan;
  const { subnet, deletedAt, deletedBy, command, reasons, key } = tombstone;
  return {
    subnet,
    publicIP,
    state: outcome?.state ?? fit,
    why: outcome === undefined ? why : outcome.why,
    ttlSeconds,
    deletedAt,
    deletedBy,
    command,
    reasons,
    key,
  };
}

/** First the lease, then the record goes: cut off in between, the next run sees that the lease is there. */
async function putBack(
  { change, fit, why, tombstone }: UndoPlan,
  store: Store,
  lookAgain: () => Promise<NetworkReading>,
): Promise<{ readonly state: UndoState; readonly why: string | null }> {
  try {
    if (change !== null) {
      const { key, value, ttlSeconds, expected } = change;
      const written = await store.put({ key, value, ...(ttlSeconds === undefined ? {} : { ttlSeconds }) }, expected);
      // The guard is on one key; a lease of another length for the same addresses has another one, and so has another lease of its node.
      const network = await lookAgain();
      const { leases } = network.leases;
      const own = readLease(written, network.prefix, network.version);
      const rival = 'reason' in own ? undefined : leases.find((each) => each.key !== key && isRival(each, own));
      if (rival !== undefined) {
        const gone = { kind: 'delete', key, expected: written.revision, why: '' } as const;
        await execute({ title: 'undo', changes: [network.api === 'v2' ? expiring(gone, value) : gone] }, store);
        return {
          state: 'conflict',
          why: `${rival.publicIP ?? 'somebody'} took ${rival.subnetText} at the same moment`,
        };
      }
      if (!leases.some((each) => each.key === key))
        return { state: 'failed', why: 'it is not there now: run it again' };
    } else if (fit !== 'there') return { state: fit, why };
    await store.delete(tombstone.ownKey, tombstone.ownRevision);
    return { state: change === null ? 'there' : 'restored', why: null };
  } catch (error) {
    return failureOf(error);
  }
}

function isRival(each: Lease, own: Lease): boolean {
  return cidrsOverlap(each.subnet, own.subnet) || (own.publicIP !== null && each.publicIP === own.publicIP);
}

function failureOf(error: unknown): { readonly state: UndoState; readonly why: string } {
  if (!(error instanceof NetctlError)) throw error;
  const isRace = error instanceof Conflict && error.code !== 'lock-lost';
  return { state: isRace ? 'conflict' : 'failed', why: error.message };
}
