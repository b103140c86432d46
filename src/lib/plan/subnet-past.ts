import { cidrsOverlap, formatCidr, type Ipv4Cidr } from '../net/cidr';
import type { FlannelVersion } from '../net/flannel-version';
import { type Lease, readLease } from '../net/lease';
import { keyGrammarOf, readLeaseKey } from '../net/lease-key';
import { parseReservation } from '../net/reservation';
import { parseTombstone } from '../net/tombstone';
import type { Revision, WatchEvent } from '../store/store';

/**
 * What happened to a subnet. known: it was so when etcd's memory begins. changed: the same node wrote other attributes.
 * handed-over: another public IP was written over the lease. gone: deleted or expired, which etcd does not tell apart.
 */
export type SubnetPastKind =
  | 'known'
  | 'acquired'
  | 'renewed'
  | 'changed'
  | 'handed-over'
  | 'unreadable'
  | 'gone'
  | 'deleted'
  | 'reserved'
  | 'unreserved';

export interface SubnetPastItem {
  /** Of the last change that is meant: of several renewals the last. */
  readonly revision: Revision;
  /** The subnet; the key when flanneld cannot read one out of it. */
  readonly subnet: string;
  readonly change: SubnetPastKind;
  /** Who holds it after the change, or has held it when it went. */
  readonly publicIP: string | null;
  /** Who held it before, when it was somebody else. */
  readonly before: string | null;
  readonly backend: string | null;
  readonly permanent: boolean;
  /** So many renewals in a row are one item. */
  readonly renewals: number;
  readonly key: string;
  /** By netctl's own record, and the clock of the workstation. etcd keeps neither. */
  readonly at: string | null;
  readonly by: string | null;
  readonly command: string | null;
}

/** Which changes a person wants to see. */
export interface SubnetPastWish {
  readonly range?: Ipv4Cidr | undefined;
  readonly publicIPs?: ReadonlySet<string> | undefined;
}

type Draft = { -readonly [Name in keyof SubnetPastItem]: SubnetPastItem[Name] } & {
  readonly range: Ipv4Cidr | null;
  /** Revision of what went, by which a tombstone names it. */
  readonly went?: Revision;
  /** Nothing is known of its key before. */
  readonly isFirst?: boolean;
};

interface Held {
  readonly lease: Lease | undefined;
  readonly revision: Revision;
  readonly row: Draft;
}

/** Puts the changes of keys together to what happened to subnets. Holds only the last `most` of them. */
export class SubnetPast {
  private readonly prefix: string;
  private readonly version: FlannelVersion;
  private readonly wish: SubnetPastWish;
  private readonly most: number;
  private readonly held = new Map<string, Held>();
  private readonly reserved = new Map<string, Draft>();
  /** Tombstones by the key and the revision that they are about. */
  private readonly deletions = new Map<string, { at: string; by: string; command: string }>();
  private readonly goneKeys = new Set<string>();
  private drafts: Draft[] = [];
  private omitted = 0;

  constructor(prefix: string, version: FlannelVersion, wish: SubnetPastWish, most: number) {
    this.prefix = prefix;
    this.version = version;
    this.wish = wish;
    this.most = most;
  }

  /** A change among the leases, in their order. */
  lease(event: WatchEvent): void {
    if (event.type === 'delete') this.gone(event.key, event.revision);
    else this.written(event.entry);
  }

  /** A change among netctl's tombstones. */
  tombstone(event: WatchEvent): void {
    if (event.type === 'delete') return;
    const read = parseTombstone(event.entry.value);
    if (read === undefined) return;
    const { deletedAt: at, deletedBy: by, command } = read;
    this.deletions.set(`${read.revision} ${read.key}`, { at, by, command });
  }

  /** A change among netctl's reservations. */
  reservation(event: WatchEvent): void {
    if (event.type === 'delete') {
      const was = this.reserved.get(event.key);
      if (was === undefined) return;
      this.reserved.delete(event.key);
      this.add({ ...was, change: 'unreserved', revision: event.revision, at: null, by: null });
      return;
    }
    const { key, value, revision } = event.entry;
    const read = parseReservation(value);
    if (!read.ok) return;
    const { subnet, publicIP, reservedAt, reservedBy } = read.reservation;
    const draft: Draft = {
      ...nobody,
      revision,
      subnet: formatCidr(subnet),
      range: subnet,
      change: 'reserved',
      publicIP,
      permanent: true,
      key,
      at: reservedAt === '' ? null : reservedAt,
      by: reservedBy === '' ? null : reservedBy,
    };
    this.reserved.set(key, draft);
    this.add(draft);
  }

  /**
   * The newest first, and how many there were before them.
   * @param isCutOff v2 has forgotten older events: whether the first one of a key was its beginning is not known
   */
  items(isCutOff: boolean): { readonly items: readonly SubnetPastItem[]; readonly omitted: number } {
    this.drop();
    const items = this.drafts.map(
      ({ range: _range, went, isFirst, revision, subnet, change, ...draft }): SubnetPastItem => {
        const record = went === undefined ? undefined : this.deletions.get(`${went} ${draft.key}`);
        const isDoubtful = isCutOff && isFirst === true && change === 'acquired';
        const known = { revision, subnet, ...draft, change: isDoubtful ? ('known' as const) : change };
        return record === undefined ? known : { ...known, change: 'deleted', ...record };
      },
    );
    items.sort((a, b) => (BigInt(a.revision) < BigInt(b.revision) ? 1 : -1));
    return { items, omitted: this.omitted };
  }

  private written(entry: Parameters<typeof readLease>[0]): void {
    const { key, revision, createdRevision } = entry;
    const was = this.held.get(key);
    const read = readLease(entry, this.prefix, this.version);
    if (!('address' in read)) {
      const range = read.subnet;
      const subnet = range === null ? key : formatCidr(range);
      const row: Draft = { ...nobody, revision, subnet, range, change: 'unreadable', permanent: entry.permanent, key };
      row.before = was?.lease?.publicIP ?? null;
      this.held.set(key, { lease: undefined, revision, row });
      this.add(row);
      return;
    }
    // Not by the created revision alone: in v2 a plain set, as flanneld renews, makes that new each time.
    const first = revision === createdRevision ? 'acquired' : 'known';
    const change = was === undefined ? first : changeOf(was.lease, read);
    if (change === 'renewed' && was?.row.change === 'renewed') {
      was.row.renewals += 1;
      was.row.revision = revision;
      this.held.set(key, { ...was, lease: read, revision });
      return;
    }
    const before = was?.lease?.publicIP ?? null;
    const row: Draft = {
      ...nobody,
      revision,
      subnet: read.subnetText,
      range: read.subnet,
      change,
      publicIP: read.publicIP,
      before: before === read.publicIP ? null : before,
      backend: read.backendType,
      permanent: read.permanent,
      renewals: change === 'renewed' ? 1 : 0,
      key,
      isFirst: was === undefined && !this.goneKeys.has(key),
    };
    this.held.set(key, { lease: read, revision, row });
    this.add(row);
  }

  private gone(key: string, revision: Revision): void {
    const was = this.held.get(key);
    this.held.delete(key);
    this.goneKeys.add(key);
    const read = readLeaseKey(key, keyGrammarOf(this.version));
    const range = read.ok ? read.subnet : null;
    this.add({
      ...nobody,
      revision,
      subnet: was?.row.subnet ?? (range === null ? key : formatCidr(range)),
      range,
      change: 'gone',
      publicIP: was?.lease?.publicIP ?? null,
      backend: was?.lease?.backendType ?? null,
      key,
      ...(was === undefined ? {} : { went: was.revision }),
    });
  }

  private add(draft: Draft): void {
    if (!this.isWanted(draft)) return;
    this.drafts.push(draft);
    if (this.drafts.length >= this.most * 2) this.drop();
  }

  private drop(): void {
    const surplus = this.drafts.length - this.most;
    if (surplus <= 0) return;
    this.omitted += surplus;
    this.drafts = this.drafts.slice(surplus);
  }

  private isWanted({ range, publicIP, before }: Draft): boolean {
    const { range: wanted, publicIPs } = this.wish;
    if (wanted === undefined && publicIPs === undefined) return true;
    if (wanted !== undefined && range !== null && cidrsOverlap(wanted, range)) return true;
    return (
      publicIPs !== undefined &&
      ((publicIP !== null && publicIPs.has(publicIP)) || (before !== null && publicIPs.has(before)))
    );
  }
}

const nobody = {
  publicIP: null,
  before: null,
  backend: null,
  permanent: false,
  renewals: 0,
  at: null,
  by: null,
  command: null,
} as const;

function changeOf(was: Lease | undefined, now: Lease): SubnetPastKind {
  if (was === undefined) return 'changed';
  if (was.publicIP !== now.publicIP) return 'handed-over';
  const same =
    was.publicIPv6 === now.publicIPv6 &&
    was.backendType === now.backendType &&
    was.backendData === now.backendData &&
    was.backendV6Data === now.backendV6Data &&
    was.permanent === now.permanent;
  return same ? 'renewed' : 'changed';
}
