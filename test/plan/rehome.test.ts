import { describe, expect, it } from 'vitest';
import { type Ipv4Cidr, parseIpv4Cidr } from '../../src/lib/net/cidr';
import { parseFlannelVersion } from '../../src/lib/net/flannel-version';
import { readLeases } from '../../src/lib/net/lease';
import { judgeConfig } from '../../src/lib/net/network-config';
import { formatReservation, readReservations, reservationKey } from '../../src/lib/net/reservation';
import { readTombstones, tombstonesPrefix } from '../../src/lib/net/tombstone';
import type { Change } from '../../src/lib/plan/change';
import { planRemoval } from '../../src/lib/plan/reclaim';
import { planRehome } from '../../src/lib/plan/rehome';
import type { Entry } from '../../src/lib/store/store';

const prefix = '/coreos.com/network';
const version = parseFlannelVersion('v0.28.9');
const effective = judgeConfig(Buffer.from('{"Network":"10.5.0.0/16"}'), version).effective;

function cidr(text: string): Ipv4Cidr {
  const read = parseIpv4Cidr(text);
  if (read === undefined) throw new Error(text);
  return { base: read.base, length: read.length };
}

/** What etcd holds, by key: enough of it to plan from, and to carry a plan out, change by change. */
type Keys = ReadonlyMap<string, string>;

const key = (subnet: string) => `${prefix}/subnets/${subnet.replace('/', '-')}`;
const leaseOf = (subnet: string, publicIP: string): [string, string] => [key(subnet), `{"PublicIP":"${publicIP}"}`];
const reservationOf = (subnet: string, publicIP: string): [string, string] => [
  reservationKey(prefix, cidr(subnet)),
  Buffer.from(
    formatReservation({ subnet: cidr(subnet), publicIP, node: null, note: null, reservedBy: '', reservedAt: '' }),
  ).toString(),
];

const wish = { subnet: cidr('10.5.1.0/24'), to: '192.0.2.11', drop: null };

function plan(
  keys: Keys,
  {
    nodes = [],
    drop = null,
  }: { readonly nodes?: readonly { name: string; publicIP: string }[]; drop?: string | null } = {},
) {
  const entries = Array.from(
    keys,
    ([name, text]): Entry => ({
      key: name,
      value: Buffer.from(text),
      revision: '7',
      createdRevision: '7',
      permanent: false,
    }),
  );
  const tombstones = readTombstones(entries, prefix);
  const context = { prefix, api: 'v3' as const, tombstones, now: new Date(), who: '', command: 'a test' };
  return planRehome(
    { ...wish, drop: drop === null ? null : cidr(drop) },
    {
      version,
      reading: readLeases(
        { api: 'v3', entries: entries.filter((each) => each.key.startsWith(`${prefix}/`)) },
        prefix,
        version,
      ),
      effective,
      reservations: readReservations(entries, prefix),
      nodes,
      tombstones,
      entryOf: (name) => entries.find((each) => each.key === name),
      removalOf: (lease, entry) => planRemoval({ lease, entry, ttlSeconds: 100, reasons: [] }, context),
    },
  );
}

function changed(keys: Keys, changes: readonly Change[]): Keys {
  const now = new Map(keys);
  for (const change of changes) {
    if (change.kind === 'delete') now.delete(change.key);
    else now.set(change.key, Buffer.from(change.value).toString());
  }
  return now;
}

/** The record of a lease that was taken away, as that of another address. */
function ofAnother(change: Change): Uint8Array {
  if (change.kind !== 'put') throw new Error(change.kind);
  const record: unknown = JSON.parse(Buffer.from(change.value).toString());
  const valueBase64 = Buffer.from('{"PublicIP":"192.0.2.12"}').toString('base64');
  return Buffer.from(JSON.stringify(Object.assign({}, record, { valueBase64 })));
}

const codes = (of: ReturnType<typeof plan>) => of.problems.map(({ code }) => code);

describe('the lease of a node whose address has changed', () => {
  const before: Keys = new Map([
    leaseOf('10.5.1.0/24', '192.0.2.1'),
    leaseOf('10.5.44.0/24', '192.0.2.11'),
    reservationOf('10.5.1.0/24', '192.0.2.1'),
  ]);
  const whole = plan(before, { drop: '10.5.44.0/24' });

  it('is rewritten last, behind its reservation, and an applied plan plans to nothing', () => {
    expect(whole.changes.map(({ kind, key: name }) => `${kind} ${name.replace(/\d{20}-/, '')}`)).toEqual([
      `put ${tombstonesPrefix(prefix)}10.5.44.0-24`,
      `delete ${key('10.5.44.0/24')}`,
      `put ${reservationKey(prefix, cidr('10.5.1.0/24'))}`,
      `put ${key('10.5.1.0/24')}`,
    ]);
    const after = plan(changed(before, whole.changes), { drop: '10.5.44.0/24' });
    expect([after.changes, after.problems]).toEqual([[], []]);
  });

  it('is rewritten by the same command again, wherever the first one was cut off', () => {
    for (const count of whole.changes.keys()) {
      const cut = changed(before, whole.changes.slice(0, count));
      const next = plan(cut, { drop: '10.5.44.0/24' });
      expect(codes(next), `behind ${count} changes`).toEqual([]);
      const end = changed(cut, next.changes);
      expect(end.get(key('10.5.1.0/24'))).toBe('{"PublicIP":"192.0.2.11"}');
      expect(end.has(key('10.5.44.0/24'))).toBe(false);
      expect(end.get(reservationKey(prefix, wish.subnet))).toContain('192.0.2.11');
    }
  });

  it('is not rewritten when the left-over that was named never was there', () => {
    expect(codes(plan(new Map([leaseOf('10.5.1.0/24', '192.0.2.1')]), { drop: '10.5.44.0/24' }))).toEqual([
      'rehome-no-lease',
    ]);
  });

  it('nor when what netctl took away was another one', () => {
    const theirs = plan(
      new Map([...before, leaseOf('10.5.1.0/24', '192.0.2.1'), leaseOf('10.5.44.0/24', '192.0.2.12')]),
      {
        drop: '10.5.44.0/24',
      },
    );
    expect(codes(theirs)).toEqual(['rehome-no-lease']);
    const kept = whole.changes.slice(0, 1).map((each) => ({ ...each, value: ofAnother(each) }));
    expect(
      codes(plan(changed(new Map([leaseOf('10.5.1.0/24', '192.0.2.1')]), kept), { drop: '10.5.44.0/24' })),
    ).toEqual(['rehome-no-lease']);
  });

  it('is not given to another node of the inventory, whatever was typed', () => {
    const nodes = [
      { name: 'web1', publicIP: '192.0.2.1' },
      { name: 'web3', publicIP: '192.0.2.11' },
    ];
    const leases = new Map([leaseOf('10.5.1.0/24', '192.0.2.1')]);
    const refused = plan(leases, { nodes });
    expect([codes(refused), refused.changes]).toEqual([['rehome-other-node'], []]);
    expect(refused.problems[0]?.message).toContain('the lease of web1 (192.0.2.1), and 192.0.2.11 is web3');
    // The inventory has its new address already, or still the old one.
    for (const known of [nodes.slice(0, 1), nodes.slice(1)]) {
      expect(plan(leases, { nodes: known }).changes).toHaveLength(1);
    }
  });
});
