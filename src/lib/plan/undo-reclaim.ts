import { cidrsOverlap, formatCidr } from '../net/cidr';
import { leaseListing } from '../net/flannel-keys';
import type { FlannelVersion } from '../net/flannel-version';
import { type Lease, readLease } from '../net/lease';
import type { EffectiveConfig } from '../net/network-config';
import type { Reservation } from '../net/reservation';
import type { StoredTombstone } from '../net/tombstone';
import type { Api } from '../store/store';
import type { Change } from './change';
import { leaseFitOf } from './lease-fit';

/**
 * Whether a lease that was taken away can come back. `free`: yes. `there`: it is there as it was. `taken`: another lease has its
 * subnet or a part of it, or its node has another subnet. `unfit`: the config has changed since. `unreadable`: flanneld could not read it.
 */
export type UndoFit = 'free' | 'there' | 'taken' | 'unfit' | 'unreadable';

export interface UndoPlan {
  readonly tombstone: StoredTombstone;
  readonly fit: UndoFit;
  /** Why it cannot; null when it can. One clause. */
  readonly why: string | null;
  readonly publicIP: string | null;
  /** With so much time it comes back; null: for good. */
  readonly ttlSeconds: number | null;
  /** Empty unless it is free. */
  readonly change: Extract<Change, { kind: 'put' }> | null;
}

export interface UndoContext {
  readonly prefix: string;
  readonly api: Api;
  readonly version: FlannelVersion;
  readonly leases: readonly Lease[];
  /** Null when there is no config, or none that flanneld takes. */
  readonly effective: EffectiveConfig | null;
  readonly reservations: readonly Reservation[];
}

/** flanneld never asks for more, and looks at its own lease once a minute at the latest when little is left. */
const mostSeconds = 86_400;
const leastSeconds = 300;

/**
 * The time that it had left when it went, a day at most. What lies between is not taken off: the node that it is put back for could
 * not renew it meanwhile. Five minutes at least, so that it does not go again before its owner has seen it. Null: without a time to
 * live, as it was; on v2 only, because with v3 flanneld makes a lease of a day of every key.
 */
export function undoSeconds({ permanent, ttlSeconds }: StoredTombstone, api: Api): number | null {
  if (permanent && api === 'v2') return null;
  return Math.max(leastSeconds, Math.min(mostSeconds, Math.floor(ttlSeconds ?? mostSeconds)));
}

/** Plans how several come back in this order: of two that cannot both be there, as two leases of one node, the first does. Pure. */
export function planUndos(tombstones: readonly StoredTombstone[], context: UndoContext): readonly UndoPlan[] {
  const leases = [...context.leases];
  return tombstones.map((tombstone) => {
    const plan = planUndo(tombstone, { ...context, leases });
    const lease = plan.change === null ? undefined : leaseAt(plan.change.key, plan.change.value, context);
    if (lease !== undefined && 'address' in lease) leases.push(lease);
    return plan;
  });
}

/** Plans how one comes back: created only if the key is absent. Pure. Whatever stands in the record is judged anew. */
export function planUndo(tombstone: StoredTombstone, context: UndoContext): UndoPlan {
  const { prefix, api, version, leases, effective, reservations } = context;
  const { key, value } = tombstone;
  const ttlSeconds = undoSeconds(tombstone, api);
  const plan = (
    fit: UndoFit,
    why: string | null,
    publicIP: string | null,
    change: UndoPlan['change'] = null,
  ): UndoPlan => ({
    tombstone,
    fit,
    why,
    publicIP,
    ttlSeconds,
    change,
  });
  const folder = `${leaseListing(prefix)}/`;
  if (!key.startsWith(folder) || key.includes('/', folder.length)) {
    return plan('unreadable', `${key} is not a key of a lease of ${prefix}`, null);
  }
  const lease = leaseAt(key, value, context);
  if ('reason' in lease) return plan('unreadable', `flanneld could not read it: ${lease.reason}`, null);
  const { publicIP } = lease;
  // A person names the subnet, and the key is what would be written.
  if (lease.subnetText !== tombstone.subnet) {
    return plan('unreadable', `its record names ${tombstone.subnet}, its key is that of ${lease.subnetText}`, publicIP);
  }
  const other = leases.find((each) => cidrsOverlap(each.subnet, lease.subnet));
  if (other?.key === key && other.publicIP === publicIP) return plan('there', null, publicIP);
  if (other !== undefined) {
    return plan('taken', `${other.publicIP ?? 'somebody'} holds ${other.subnetText}`, publicIP);
  }
  // Of two leases with its public IP flanneld would take the first that it finds, and its containers may stand in the other.
  const own = leases.find((each) => each.publicIP !== null && each.publicIP === publicIP);
  if (own !== undefined) return plan('taken', `${publicIP ?? ''} has ${own.subnetText} by now`, publicIP);
  const kept = reservations.find((each) => cidrsOverlap(each.subnet, lease.subnet) && each.publicIP !== publicIP);
  if (kept !== undefined) {
    return plan('taken', `${formatCidr(kept.subnet)} is reserved for ${kept.node ?? kept.publicIP}`, publicIP);
  }
  const misfits = effective === null ? [] : leaseFitOf(effective, version).misfits(lease);
  if (misfits.length > 0) {
    return plan(
      'unfit',
      `the config has changed: ${misfits.map((misfit) => misfit.replaceAll('-', ' ')).join(', ')}`,
      publicIP,
    );
  }
  return plan('free', null, publicIP, {
    kind: 'put',
    key,
    value,
    expected: 'absent',
    ...(ttlSeconds === null ? {} : { ttlSeconds }),
    why: `${lease.subnetText} was taken away by ${tombstone.command}`,
  });
}

function leaseAt(key: string, value: Uint8Array, { prefix, version }: UndoContext): ReturnType<typeof readLease> {
  return readLease({ key, value, revision: '0', createdRevision: '0', permanent: false }, prefix, version);
}
