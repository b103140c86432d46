import { checkLeases } from '../check/leases';
import { subnetRows } from '../check/subnet-rows';
import { InvalidInput } from '../errors';
import { configKey } from '../net/flannel-keys';
import type { NodeRef } from '../net/node-ref';
import type { RowFilter, RowSort, SubnetRow } from '../net/subnet-query';
import type { Entry } from '../store/store';
import { plural } from '../view/count';
import { screenOf } from '../view/format';
import { progress } from '../view/progress';
import type { NetworkReading } from './session';

/** etcd answers some 2,600 TTLs a second, so a longer list would keep a person waiting for a column. */
export const ttlsWithoutAsking = 1000;

export interface RowWish {
  readonly filter: RowFilter;
  /** Null: the order of the subnets, in which they come. */
  readonly sort: RowSort | null;
  /** True: always ask for TTLs; false: never; undefined: while there are few. */
  readonly ttl: boolean | undefined;
}

export interface Rows {
  readonly rows: readonly SubnetRow[];
  readonly ttlAsked: boolean;
}

/** Does the wish need the TTL of every lease, whatever is shown? */
export function needsAllTtls({ filter, sort }: RowWish): boolean {
  return filter.needsTtl || (sort?.needsTtl ?? false);
}

/** @throws InvalidInput when what is asked for needs a TTL that must not be asked */
export function requirePossible(wish: RowWish): void {
  if (wish.ttl !== false || !needsAllTtls(wish)) return;
  throw new InvalidInput({
    code: 'bad-usage',
    message: `--no-ttl leaves out what ${wish.filter.needsTtl ? '--filter expires' : '--sort expires'} looks at`,
    next: ['Leave out one of the two.'],
  });
}

/** Why a list of subnets is empty. */
export function emptyText({ leases, prefix }: Pick<NetworkReading, 'leases' | 'prefix'>): string {
  if (leases.leases.length > 0) return `None of the ${plural(leases.leases.length, 'subnet')} matches the filter.`;
  return leases.config === null
    ? `There is no network at ${prefix}: no config at ${configKey(prefix)}, no subnets. netctl init-network writes one.`
    : 'No node holds a subnet: no flanneld has started on this network yet.';
}

/** Remaining seconds of these leases, with a line of progress while etcd is asked for many. */
export async function askTtls(
  network: NetworkReading,
  keys: ReadonlySet<string> | undefined,
): Promise<ReadonlyMap<string, number>> {
  const entries: Entry[] = [];
  for (const entry of network.snapshot.entries) {
    if (!entry.permanent && (keys === undefined || keys.has(entry.key))) entries.push(entry);
  }
  const line = progress(process.stderr, screenOf(process.stderr, process.env), 'asking etcd when leases expire');
  const ttls = new Map<string, number>();
  try {
    for (let at = 0; at < entries.length; at += ttlsWithoutAsking) {
      const part = entries.slice(at, at + ttlsWithoutAsking);
      for (const [key, seconds] of await network.store.ttls(part)) ttls.set(key, seconds);
      line.update(Math.min(entries.length, at + ttlsWithoutAsking), entries.length);
    }
  } finally {
    line.end();
  }
  return ttls;
}

/** The rows of `subnets ls`. TTLs are asked only where they are shown, filtered or sorted by. */
export async function readRows(network: NetworkReading, nodes: readonly NodeRef[], wish: RowWish): Promise<Rows> {
  const { leases } = network.leases;
  const needsAll = needsAllTtls(wish);
  const build = (ttls: ReadonlyMap<string, number> | undefined) => {
    const problems = checkLeases({
      api: network.api,
      prefix: network.prefix,
      version: network.version,
      reading: network.leases,
      effective: network.effective,
      nodes,
      ...(ttls === undefined ? {} : { ttls }),
    });
    return subnetRows(leases, nodes, problems, ttls);
  };
  const finish = (rows: readonly SubnetRow[]) => {
    const wanted = rows.filter((row) => wish.filter.test(row));
    return wish.sort === null ? wanted : wanted.sort(wish.sort.compare);
  };
  const isTold = network.api === 'v2';
  if (isTold || wish.ttl === false || (wish.ttl === undefined && !needsAll && leases.length > ttlsWithoutAsking)) {
    const rows = finish(build(undefined));
    // A filter may have left few.
    if (isTold || wish.ttl === false || rows.length > ttlsWithoutAsking) return { rows, ttlAsked: isTold };
    const ttls = await askTtls(network, new Set(rows.map(({ lease }) => lease.key)));
    return { rows: rows.map((row) => ({ ...row, ttlSeconds: ttls.get(row.lease.key) ?? null })), ttlAsked: true };
  }
  return { rows: finish(build(await askTtls(network, undefined))), ttlAsked: true };
}
