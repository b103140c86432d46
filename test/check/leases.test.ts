import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkLeases, type LeaseCheck } from '../../src/lib/check/leases';
import { groupedProblems } from '../../src/lib/check/problem-groups';
import { leaseTopics } from '../../src/lib/explain/lease';
import { parseFlannelVersion } from '../../src/lib/net/flannel-version';
import { readLeases, type StoredKey } from '../../src/lib/net/lease';
import { type EffectiveConfig, judgeConfig } from '../../src/lib/net/network-config';

const prefix = '/coreos.com/network';
const newest = parseFlannelVersion('v0.28.9');

function effective(config: Record<string, unknown>, version = newest): EffectiveConfig {
  const verdict = judgeConfig(
    JSON.stringify({ Network: '10.1.0.0/16', Backend: { Type: 'vxlan' }, ...config }),
    version,
  );
  if (verdict.effective === null) throw new Error(verdict.error ?? 'refused');
  return verdict.effective;
}

function entry(tail: string, value: string | Uint8Array, more: Partial<StoredKey> = {}): StoredKey {
  const content = typeof value === 'string' ? new TextEncoder().encode(value) : value;
  return { key: `${prefix}/${tail}`, value: content, revision: '1', createdRevision: '1', permanent: false, ...more };
}

/** A lease as flanneld with vxlan writes it. The last number makes it different from others. */
function vxlan(
  subnet: string,
  number: number,
  more: Partial<StoredKey> & { ip?: string; mac?: string; vni?: number } = {},
): StoredKey {
  const {
    ip = `192.168.0.${number}`,
    mac = `0e:00:00:00:00:${number.toString(16).padStart(2, '0')}`,
    vni = 1,
    ...rest
  } = more;
  const value = `{"PublicIP":"${ip}","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":${vni},"VtepMAC":"${mac}"}}`;
  return entry(`subnets/${subnet.replace('/', '-')}`, value, rest);
}

interface Given extends Partial<Omit<LeaseCheck, 'reading' | 'prefix'>> {
  readonly release?: string;
}

function check(entries: readonly StoredKey[], { release = 'v0.28.9', ...given }: Given = {}) {
  const version = parseFlannelVersion(release);
  const api = given.api ?? 'v3';
  return checkLeases({
    api,
    prefix,
    version,
    reading: readLeases({ api, entries }, prefix, version),
    effective: effective({}),
    ...given,
  });
}

const codes = (entries: readonly StoredKey[], given?: Given) => check(entries, given).map(({ code }) => code);
const only = (entries: readonly StoredKey[], given?: Given) => {
  const [problem, ...others] = check(entries, given);
  expect(others).toEqual([]);
  if (problem === undefined) throw new Error('no problem was found');
  return problem;
};

describe('leases that are as they should be', () => {
  it('have no problems', () => {
    const entries = [entry('config', '{}'), vxlan('10.1.5.0/24', 1), vxlan('10.1.6.0/24', 2)];
    const nodes = [
      { name: 'web1', publicIP: '192.168.0.1', subnet: '10.1.5.0/24' },
      { name: 'web2', address: '192.168.0.2' },
    ];
    const ttls = new Map(entries.map(({ key }) => [key, 80_000]));
    expect(check(entries, { nodes, ttls, etcdLeases: [] })).toEqual([]);
    expect(check([], {})).toEqual([]);
  });

  it('of every backend are those that it publishes', () => {
    const published = (type: string) => (['udp', 'alloc'].includes(type) ? '' : `,"BackendType":"${type}"`);
    for (const type of ['udp', 'alloc', 'host-gw', 'ipip', 'extension', 'ipsec']) {
      const config = { ...effective({}), backend: { type, explicit: true, options: {} } };
      const entries = [entry('subnets/10.1.5.0-24', `{"PublicIP":"192.168.0.1","PublicIPv6":null${published(type)}}`)];
      expect(check(entries, { effective: config }), type).toEqual([]);
    }
  });
});

describe('what flanneld cannot read', () => {
  it('is an error that says what this release does', () => {
    const message = (release: string, api: 'v2' | 'v3') =>
      only([entry('subnets/lock', '{}')], { release, api }).message;
    expect(message('v0.11.0', 'v2')).toContain('sees no other change until it restarts');
    expect(message('v0.17.0', 'v2')).toContain('skips it');
    expect(message('v0.20.2', 'v3')).toContain('loop for ever');
    expect(message('v0.28.9', 'v3')).toContain('drops its routes to ALL other nodes');
  });

  it('warns that deleting an unparsable key does the same once more', () => {
    expect(only([entry('subnets/lock', '{}')])).toEqual({
      code: 'unparsable-key',
      severity: 'error',
      path: `${prefix}/subnets/lock`,
      subject: `${prefix}/subnets/lock`,
      keys: [`${prefix}/subnets/lock`],
      message: expect.stringContaining('is not the key of a lease'),
      suggestion: expect.stringMatching(
        /^ETCDCTL_API=3 etcdctl del \/coreos\.com\/network\/subnets\/lock \(its deletion has the same effect/,
      ),
    });
  });

  it('is told apart by what happened to the value', () => {
    const key = 'subnets/10.1.5.0-24';
    expect(only([entry(key, 'garbage')])).toMatchObject({ code: 'unparsable-value', severity: 'error' });
    expect(only([entry(key, `${prefix}/${key}`)])).toMatchObject({ code: 'value-is-key', severity: 'error' });
    expect(only([entry(key, '{"PublicIP":"fd00::1"}')])).toMatchObject({ code: 'ipv6-public-ip' });
    expect(only([entry(key, '{"PublicIP":"fd00::1"}')], { release: 'v0.28.8' }).message).toContain(
      'crashes on it on every node',
    );
    expect(only([entry(key, 'garbage')]).suggestion).toBe('netctl subnets mend 10.1.5.0/24');
    // A key that flanneld itself would not write cannot be made right.
    const odd = entry('subnets/10.1.5.0-024', 'garbage');
    expect(only([odd], { api: 'v2', release: 'v0.11.0' }).suggestion).toContain('ETCDCTL_API=2 etcdctl rm');
  });

  it('is quoted for the shell', () => {
    const { suggestion } = only([entry('subnets/10.1.5.0-24&FC00::-64', '{}')]);
    expect(suggestion).toContain(`'${prefix}/subnets/10.1.5.0-24&FC00::-64'`);
    expect(only([entry('subnets/\u001b[2J', '{}')]).suggestion).toContain("$'/coreos.com/network/subnets/\\x1b[2J'");
  });
});

describe('keys that are not where they should be', () => {
  it('are leases to flanneld when they begin with the listing', () => {
    const copy = vxlan('10.1.9.0/24', 9);
    const beside = { ...copy, key: `${prefix}/subnets-old/10.1.9.0-24` };
    expect(only([beside])).toMatchObject({ code: 'foreign-lease', severity: 'error', subject: beside.key });
    expect(only([beside], { api: 'v2', release: 'v0.11.0' })).toMatchObject({ code: 'foreign-key', severity: 'info' });
  });

  it('whose deletion takes the route of the node with that subnet are deleted with a warning', () => {
    const lease = vxlan('10.1.9.0/24', 9);
    const beside = { ...lease, key: `${prefix}/subnets-old/10.1.9.0-24` };
    const found = check([lease, beside]).find(({ code }) => code === 'foreign-lease');
    expect(found?.suggestion).toContain('every node then drops its route to 10.1.9.0/24');
    expect(only([beside]).suggestion).not.toContain('drops its route');
  });

  it('are mentioned when they do nothing', () => {
    expect(only([entry('configs', '{}')])).toMatchObject({ code: 'foreign-key', severity: 'info' });
    expect(only([entry('subnets/old/10.1.9.0-24', '{}')], { api: 'v2', release: 'v0.11.0' })).toMatchObject({
      severity: 'warning',
    });
  });

  it('are told when flanneld would write another', () => {
    expect(only([vxlan('10.1.5.0/024', 1)])).toMatchObject({ code: 'odd-key', severity: 'warning' });
    expect(only([vxlan('x10.1.5.0/24', 1)])).toMatchObject({ code: 'odd-key' });
    expect(only([vxlan('10.1.5.7/24', 1)])).toMatchObject({ code: 'unaligned-subnet', severity: 'error' });
  });
});

describe('leases against each other', () => {
  it('overlap whatever their lengths, each told once', () => {
    const entries = [
      vxlan('10.1.0.0/20', 1),
      vxlan('10.1.5.0/24', 2),
      vxlan('10.1.6.0/24', 3),
      vxlan('10.1.6.128/25', 4),
      vxlan('10.1.32.0/24', 5),
    ];
    const found = check(entries).filter(({ code }) => code === 'lease-overlap');
    expect(found.map(({ keys }) => keys.map((key) => key.slice(prefix.length + 9)))).toEqual([
      ['10.1.5.0-24', '10.1.0.0-20'],
      ['10.1.6.0-24', '10.1.0.0-20'],
      ['10.1.6.128-25', '10.1.6.0-24'],
    ]);
  });

  it('overlap exactly when some pair does', () => {
    const given = fc.uniqueArray(fc.tuple(fc.nat(0xffff), fc.integer({ min: 18, max: 30 })), {
      maxLength: 8,
      selector: ([offset, length]) => `${Math.floor(offset / 2 ** (32 - length))}/${length}`,
    });
    fc.assert(
      fc.property(given, (ranges) => {
        const spans = ranges.map(([offset, length]) => {
          const size = 2 ** (32 - length);
          const base = offset - (offset % size);
          return { base, size, length };
        });
        const entries = spans.map(({ base, length }, i) => vxlan(`10.1.${base >> 8}.${base & 255}/${length}`, i + 1));
        const inner = spans.filter((a, i) =>
          spans.some((b, j) => i !== j && b.size > a.size && a.base >= b.base && a.base < b.base + b.size),
        );
        expect(codes(entries).filter((code) => code === 'lease-overlap')).toHaveLength(inner.length);
      }),
      { numRuns: 500 },
    );
  });

  it('are told when they share public IP or VTEP MAC', () => {
    const entries = [
      vxlan('10.1.5.0/24', 1),
      vxlan('10.1.6.0/24', 2, { ip: '192.168.0.1' }),
      vxlan('10.1.7.0/24', 3, { mac: '0e:00:00:00:00:01' }),
    ];
    const found = check(entries);
    expect(found.map(({ code, subject, keys }) => [code, subject, keys.length])).toEqual([
      ['duplicate-public-ip', '192.168.0.1', 2],
      ['duplicate-vtep-mac', '0e:00:00:00:00:01', 2],
    ]);
    expect(found[0]?.message).toContain('10.1.5.0/24, 10.1.6.0/24');
  });

  it('that share many are not all named', () => {
    const entries = Array.from({ length: 9 }, (_, i) => vxlan(`10.1.${i + 1}.0/24`, i, { ip: '192.168.0.1' }));
    expect(only(entries).message).toContain('10.1.5.0/24 and 4 more');
  });
});

describe('public IPs that lead nowhere', () => {
  it.each([
    ['127.0.0.1', 'loopback'],
    ['169.254.1.1', 'link-local'],
    ['0.0.0.0', '0.0.0.0'],
    ['10.0.2.15', 'Vagrant'],
    ['224.0.0.1', 'not an address of a host'],
    ['255.255.255.255', 'not an address of a host'],
    ['10.1.77.1', 'inside the container network 10.1.0.0/16'],
  ])('%s: %s', (ip, why) => {
    const problem = only([vxlan('10.1.5.0/24', 1, { ip })]);
    expect(problem).toMatchObject({ code: 'bad-public-ip', severity: 'error', subject: '10.1.5.0/24' });
    expect(problem.message).toContain(why);
  });

  it('are told when there is none', () => {
    const problem = only([
      entry('subnets/10.1.5.0-24', '{"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"0e:00:00:00:00:01"}}'),
    ]);
    expect(problem.message).toContain('no PublicIP');
  });
});

describe('leases against the config', () => {
  it('are told when their owners will lose them', () => {
    const config = effective({ SubnetMax: '10.1.50.0' });
    expect(only([vxlan('10.2.5.0/24', 1)], { effective: config })).toMatchObject({
      code: 'lease-outside-network',
      severity: 'warning',
    });
    expect(only([vxlan('10.1.60.0/24', 1)], { effective: config })).toMatchObject({
      code: 'lease-out-of-range',
      severity: 'warning',
    });
    expect(only([vxlan('10.1.5.0/25', 1)], { effective: config })).toMatchObject({
      code: 'lease-wrong-length',
      severity: 'warning',
    });
  });

  it('are told when backend or VNI are others', () => {
    const hostGw = entry('subnets/10.1.5.0-24', '{"PublicIP":"192.168.0.1","PublicIPv6":null,"BackendType":"host-gw"}');
    expect(only([hostGw])).toMatchObject({ code: 'other-backend', severity: 'error' });
    expect(only([vxlan('10.1.5.0/24', 1, { vni: 7 })])).toMatchObject({ code: 'other-vni', severity: 'error' });
    const bare = entry('subnets/10.1.5.0-24', '{"PublicIP":"192.168.0.1"}');
    expect(only([bare])).toMatchObject({ code: 'pre-assigned', severity: 'info' });
  });

  it('are told when the VNI is beyond what older releases read or publish', () => {
    const wide = effective({ Backend: { Type: 'vxlan', VNI: 70_000 } });
    expect(only([vxlan('10.1.5.0/24', 1, { vni: 70_000 })], { effective: wide })).toMatchObject({
      code: 'vni-over-16-bit',
      severity: 'warning',
    });
    // v0.23.0 publishes 70000 modulo 65536.
    expect(check([vxlan('10.1.5.0/24', 1, { vni: 4464 })], { effective: wide, release: 'v0.23.0' })).toEqual([]);
    expect(codes([vxlan('10.1.5.0/24', 1, { vni: 70_000 })], { effective: wide, release: 'v0.23.0' })).toContain(
      'bad-backend-data',
    );
  });

  it('are told when data that peers need is missing', () => {
    const value = '{"PublicIP":"192.168.0.1","BackendType":"vxlan","BackendData":{}}';
    expect(only([entry('subnets/10.1.5.0-24', value)])).toMatchObject({ code: 'bad-backend-data', severity: 'error' });
  });

  it('are told when IPv4 and dual stack are mixed', () => {
    const dual = effective({ EnableIPv6: true, IPv6Network: 'fc00::/48' });
    const ipv4 = vxlan('10.1.5.0/24', 1);
    const both = vxlan('10.1.6.0/24&fc00:0:0:1::-64', 2);
    expect(only([ipv4, both], { effective: dual })).toMatchObject({
      code: 'ipv4-lease-in-dual-stack',
      severity: 'error',
      keys: [ipv4.key],
    });
    expect(only([ipv4, both])).toMatchObject({ code: 'dual-stack-lease-in-ipv4', severity: 'error', keys: [both.key] });
    expect(only([ipv4, both], { effective: null })).toMatchObject({ code: 'ipv4-lease-in-dual-stack' });
    // That release reads the IPv4 part alone, and would write the key without the other.
    expect(codes([ipv4, both], { release: 'v0.16.3', api: 'v2' })).toEqual(['odd-key']);
  });

  it('for IPv6 alone is told once, and does not overlap everything', () => {
    const entries = [vxlan('10.1.5.0/24', 1), entry('subnets/0.0.0.0-0&fc00::-64', '{"PublicIP":"0.0.0.0"}')];
    expect(codes(entries).filter((code) => code !== 'capacity-exhausted')).toEqual(['ipv6-only-lease']);
  });
});

describe('time', () => {
  const at = (ttl: number, given?: Given) => {
    const lease = vxlan('10.1.5.0/24', 1);
    return codes([lease], { ttls: new Map([[lease.key, ttl]]), ...given });
  };

  it('left tells whether renewal works: it is due an hour before the end', () => {
    expect(at(86_400)).toEqual([]);
    expect(at(3600)).toEqual([]);
    expect(at(3301)).toEqual([]);
    expect(at(3299)).toEqual(['renewal-overdue']);
    expect(at(0)).toEqual(['renewal-overdue']);
    expect(at(3299, { renewMarginSeconds: 600 })).toEqual([]);
    expect(at(299, { renewMarginSeconds: 600 })).toEqual(['renewal-overdue']);
  });

  it('of more than a day was not asked for by flanneld', () => {
    expect(at(86_401)).toEqual(['ttl-too-long']);
  });

  it('is told by v2 with the key, and not guessed when nobody asked v3', () => {
    expect(codes([vxlan('10.1.5.0/24', 1, { ttlSeconds: 60 })], { api: 'v2', release: 'v0.17.0' })).toEqual([
      'renewal-overdue',
    ]);
    expect(codes([vxlan('10.1.5.0/24', 1)])).toEqual([]);
  });

  it('without end is a reservation on v2 and none on v3', () => {
    const forever = vxlan('10.1.5.0/24', 1, { permanent: true });
    expect(only([forever], { api: 'v2', release: 'v0.17.0' })).toMatchObject({ code: 'reservation', severity: 'info' });
    expect(only([forever])).toMatchObject({ code: 'reservation-will-not-hold', severity: 'warning' });
  });
});

describe('etcd leases', () => {
  it('without keys are the residue of renewals, counted once', () => {
    const lease = { id: '1', grantedSeconds: 86_400, ttlSeconds: 7200, keys: [] };
    const etcdLeases = [
      lease,
      { ...lease, id: '2', ttlSeconds: 60 },
      { ...lease, id: '3', grantedSeconds: 10 },
      { ...lease, id: '4', keys: ['/x'] },
    ];
    const problem = only([], { etcdLeases });
    expect(problem).toMatchObject({ code: 'orphan-etcd-leases', severity: 'info', subject: '' });
    expect(problem.message).toMatch(/^2 etcd leases.*ends in 2h$/);
  });

  it('with several subnets are told', () => {
    const entries = [vxlan('10.1.5.0/24', 1, { leaseId: '694d' }), vxlan('10.1.6.0/24', 2, { leaseId: '694d' })];
    expect(only(entries)).toMatchObject({ code: 'shared-etcd-lease', severity: 'warning', subject: '694d' });
  });
});

describe('capacity', () => {
  // SubnetLen 28 of a /24: fifteen subnets beside the first.
  const small = effective({ Network: '10.1.0.0/24', SubnetLen: 28 });
  const filled = (count: number) => Array.from({ length: count }, (_, i) => vxlan(`10.1.0.${(i + 1) * 16}/28`, i + 1));

  it('is a warning from 80 % and an error when all is used', () => {
    expect(codes(filled(11), { effective: small })).toEqual([]);
    expect(only(filled(12), { effective: small })).toMatchObject({ code: 'capacity-low', severity: 'warning' });
    expect(only(filled(12), { effective: small }).message).toContain('12 of 15 subnets are in use (80 %)');
    expect(only(filled(15), { effective: small })).toMatchObject({ code: 'capacity-exhausted', severity: 'error' });
  });

  it('is none when SubnetMin lies above SubnetMax', () => {
    const inverted = effective({ SubnetMin: '10.1.50.0', SubnetMax: '10.1.10.0' });
    expect(only([], { effective: inverted }).message).toContain('SubnetMin 10.1.50.0 lies above SubnetMax 10.1.10.0');
  });

  it('at the end of the address space is told', () => {
    expect(only([], { effective: effective({ Network: '255.255.255.0/24', SubnetLen: 26 }) })).toMatchObject({
      code: 'range-wraps',
      severity: 'error',
    });
  });
});

describe('leases against the inventory', () => {
  it('are told when nobody there owns them, and nodes when they have none', () => {
    const nodes = [
      { name: 'web1', publicIP: '192.168.0.1', subnet: '10.1.99.0/24' },
      { name: 'web9', publicIP: '192.168.0.9' },
    ];
    const found = check([vxlan('10.1.5.0/24', 1), vxlan('10.1.6.0/24', 2)], { nodes });
    expect(found.map(({ code, severity, subject }) => [code, severity, subject])).toEqual([
      ['unknown-owner', 'warning', '10.1.6.0/24'],
      ['node-other-subnet', 'warning', 'web1'],
      ['node-without-lease', 'warning', 'web9'],
    ]);
  });
});

describe('problems of one kind', () => {
  const many = (count: number) => Array.from({ length: count }, (_, i) => vxlan(`10.1.${i + 1}.0/24`, i + 1));
  const nodes = (count: number) =>
    Array.from({ length: count }, (_, i) => ({ name: `n${i}`, publicIP: `10.9.9.${i}` }));

  it('stand one by one while they are few, and together when they are many', () => {
    const few = check(many(5), { nodes: nodes(5) });
    expect(few).toHaveLength(10);
    expect(groupedProblems(few)).toEqual(few);
    const [leases, empty, ...others] = groupedProblems(check(many(7), { nodes: nodes(6) }));
    expect(others).toEqual([]);
    expect(leases).toMatchObject({ code: 'unknown-owner', severity: 'warning', path: '' });
    expect(leases?.message).toMatch(/^7 leases .*10\.1\.1\.0\/24, .*10\.1\.5\.0\/24 and 2 more/);
    expect(leases?.keys).toHaveLength(7);
    expect(empty).toMatchObject({ code: 'node-without-lease', subject: 'n0, n1, n2, n3, n4, n5', keys: [] });
    expect(empty?.message).toContain('n0, n1, n2, n3, n4 and 1 more');
  });

  it('keep their place among others', () => {
    const codesOf = groupedProblems(check([...many(7), entry('subnets/lock', '{}')], { nodes: nodes(1) })).map(
      ({ code }) => code,
    );
    expect(codesOf).toEqual(['unparsable-key', 'unknown-owner', 'node-without-lease']);
  });
});

describe('problems', () => {
  it('come with the gravest first', () => {
    const entries = [entry('configs', '{}'), vxlan('10.1.5.0/25', 1), entry('subnets/lock', '{}')];
    expect(check(entries).map(({ severity }) => severity)).toEqual(['error', 'warning', 'info']);
  });

  it('are found in hostile keys and values without harm', () => {
    const megabyte = 'x'.repeat(1 << 20);
    const entries = [
      entry('subnets/\u001b]0;title\u0007', '{}'),
      entry('subnets/10.1.5.0-24', megabyte),
      entry(`subnets/${megabyte}`, '{}'),
      entry('subnets/10.1.6.0-24', new Uint8Array([0xff, 0xfe])),
      entry(
        'subnets/10.1.7.0-24',
        '{"__proto__":{"polluted":true},"PublicIP":"192.168.0.7","BackendType":"__proto__"}',
      ),
      entry('subnets/__proto__', '{}'),
      entry('subnets/10.1.8.0-24', `{"PublicIP":"192.168.0.8","BackendType":"${megabyte}"}`),
    ];
    const found = check(entries);
    expect(found.length).toBeGreaterThanOrEqual(6);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  it('are found in any keys and values without an exception', () => {
    const tail = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 30 }),
      fc.constantFrom('subnets/10.1.5.0-24', 'subnets-x/10.1.5.0-24', 'subnets/0.0.0.0-0', 'config'),
    );
    const any = fc.record({
      tail,
      value: fc.oneof(
        fc.uint8Array({ maxLength: 60 }),
        fc.json().map((json) => new TextEncoder().encode(json)),
      ),
      permanent: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.array(any, { maxLength: 8 }),
        fc.constantFrom('v0.9.1', 'v0.16.3', 'v0.22.3', 'v0.28.9'),
        (keys, release) => {
          const entries = keys.map(({ tail: key, value, permanent }) => entry(key, value, { permanent }));
          for (const problem of check(entries, { release })) expect(typeof problem.message).toBe('string');
        },
      ),
      { numRuns: 500 },
    );
  });

  it('of 65,536 leases, all of them bad, are found in a moment', () => {
    const entries = Array.from({ length: 65_536 }, (_, i) =>
      vxlan(`10.${i >> 8}.${i & 255}.0/24`, i & 255, {
        ip: `172.16.${i >> 8}.${i & 255}`,
        mac: `0e:00:00:00:${(i >> 8).toString(16).padStart(2, '0')}:${(i & 255).toString(16).padStart(2, '0')}`,
      }),
    );
    const nodes = Array.from({ length: 65_536 }, (_, i) => ({
      name: `n${i}`,
      publicIP: `172.17.${i >> 8}.${i & 255}`,
    }));
    const version = newest;
    const reading = readLeases({ api: 'v3', entries }, prefix, version);
    const started = performance.now();
    const found = checkLeases({ api: 'v3', prefix, version, reading, effective: effective({ SubnetLen: 26 }), nodes });
    console.log(`${found.length} problems of 65,536 leases: ${(performance.now() - started).toFixed(0)} ms`);
    const healthy = performance.now();
    expect(
      checkLeases({
        api: 'v3',
        prefix,
        version,
        reading,
        effective: effective({ Network: '10.0.0.0/7', SubnetMin: '10.0.0.0' }),
      }),
    ).toEqual([]);
    console.log(`no problem of 65,536 leases: ${(performance.now() - healthy).toFixed(0)} ms`);
    expect(found.length).toBeGreaterThan(3 * 65_536);
  });
});

describe('the explanations of lease problems', () => {
  it('have no code twice', () => {
    const all = leaseTopics.map(({ code }) => code);
    expect(new Set(all).size).toBe(all.length);
  });
});
