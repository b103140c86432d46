import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseFlannelVersion } from '../../src/lib/net/flannel-version';
import { formatIpv4 } from '../../src/lib/net/ipv4';
import { readLease, readLeases, type StoredKey } from '../../src/lib/net/lease';
import { keyGrammarOf, leaseKey, parseLeaseKey, readLeaseKey, readPlainLeaseKey } from '../../src/lib/net/lease-key';
import { parseLeaseValue, readLeaseValue, readPlainLeaseValue, valueRulesOf } from '../../src/lib/net/lease-value';
import { PlainLease } from '../../src/lib/net/plain-lease';

const prefix = '/coreos.com/network';
const old = parseFlannelVersion('v0.16.2');
const beforeAnchor = parseFlannelVersion('v0.16.3');
const newest = parseFlannelVersion('v0.28.9');
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function stored(key: string, value: string | Uint8Array, more: Partial<StoredKey> = {}): StoredKey {
  const content = typeof value === 'string' ? bytes(value) : value;
  return { key, value: content, revision: '7', createdRevision: '3', permanent: false, ...more };
}

function shown(text: string, version: string): string | null {
  const key = parseLeaseKey(text, parseFlannelVersion(version));
  if (!key.ok) return null;
  return `${formatIpv4(key.address)}/${key.subnet.length}${key.ipv6Subnet === null ? '' : ` ${key.ipv6Subnet}`}`;
}

describe('the key of a lease', () => {
  // flannel-spec 3.2, the table of key tails: what v0.16.3 and what v0.17.0 and later read.
  const table: readonly [string, string | null, string | null][] = [
    ['10.5.1.0-24', '10.5.1.0/24', '10.5.1.0/24'],
    ['10.5.1.0-31', '10.5.1.0/31', '10.5.1.0/31'],
    ['10.5.1.0-32', null, null],
    ['10.5.1.7-24', '10.5.1.7/24', '10.5.1.7/24'],
    ['10.5.1.0-024', '10.5.1.0/24', '10.5.1.0/24'],
    ['10.5.01.0-24', null, null],
    ['10.5.1.0-24x', '10.5.1.0/24', null],
    ['10.5.1.0-24/x', '10.5.1.0/24', null],
    ['x10.5.1.0-24', '10.5.1.0/24', '10.5.1.0/24'],
    ['foo/10.5.1.0-24', '10.5.1.0/24', '10.5.1.0/24'],
    ['1.2.3.4.10.5.1.0-24', '10.5.1.0/24', '10.5.1.0/24'],
    ['10.5.1.0-24&fc00:0:0:1::-64', '10.5.1.0/24', '10.5.1.0/24 fc00:0:0:1::/64'],
    ['10.5.1.0-24&FC00::-64', '10.5.1.0/24', null],
    ['10.5.1.0-24&fc00::-128', '10.5.1.0/24', null],
    ['10.5.1.0-24&fc00::-127', '10.5.1.0/24', '10.5.1.0/24 fc00::/127'],
    ['fc00::-64', null, null],
    // Upstream's own list of invalid forms (spec 10.4) and their kin.
    ['10.12.13.0', null, null],
    ['10.12.13-24', null, null],
    ['10.12.13.300-24', null, null],
    ['300.12.13.0-24', null, null],
    ['10.12.13.0-', null, null],
    ['&10.12.13.0-24', '10.12.13.0/24', '10.12.13.0/24'],
    ['10.12.13.0-24&', '10.12.13.0/24', null],
    ['10.12.13.0-24&fd00:12:13', '10.12.13.0/24', null],
    ['10.12.13.0-24&fd00:zz::-64', '10.12.13.0/24', null],
    ['10.12.13.0-24&fd00:::1-64', '10.12.13.0/24', null],
    ['10.12.13.0-24&fd00:12:13::-56', '10.12.13.0/24', '10.12.13.0/24 fd00:12:13::/56'],
    ['10.12.13.0-24&::-0', '10.12.13.0/24', '10.12.13.0/24'],
    ['0.0.0.0-0&fc00::-64', '0.0.0.0/0', '0.0.0.0/0 fc00::/64'],
    ['', null, null],
  ];
  it.each(table)('%j is read as the specification says', (tail, v016, later) => {
    expect(shown(tail, 'v0.16.3')).toBe(v016);
    expect(shown(tail, 'v0.17.0')).toBe(later);
    expect(shown(tail, 'v0.28.9')).toBe(later);
  });

  it('takes leading zeros in octets with releases built with Go before 1.17', () => {
    expect(shown('10.5.01.0-24', 'v0.16.2')).toBe('10.5.1.0/24');
    expect(shown('10.5.010.0-24', 'v0.11.0')).toBe('10.5.10.0/24');
  });

  it('says why a key cannot be read', () => {
    const reason = (tail: string) => {
      const key = parseLeaseKey(tail, newest);
      return key.ok ? null : key.reason;
    };
    expect(reason('10.5.1.0-32')).toContain('above 31');
    expect(reason('10.5.1.0-24x')).toContain('does not end in a subnet');
    expect(reason('lock')).toContain('10.5.1.0-24');
  });

  // flanneld's own expressions (pkg/subnet/subnet.go), to hold ours against. Safe here: the texts are short.
  const upstreamAnywhere = /(\d+\.\d+[^\n]\d+[^\n]\d+)-(\d+)/u;
  const upstreamAtEnd = /(\d+\.\d+[^\n]\d+[^\n]\d+)-(\d+)(?:&([a-f\d:]+)-(\d+))?$/u;
  const upstream = (text: string, anchored: boolean): string | null => {
    const match = (anchored ? upstreamAtEnd : upstreamAnywhere).exec(text);
    const octets = match?.[1]?.split('.') ?? [];
    const valid =
      octets.length === 4 && octets.every((octet) => /^(0|[1-9]\d{0,2})$/.test(octet) && Number(octet) < 256);
    const length = Number(match?.[2] ?? 99);
    return valid && length <= 31 && match?.[3] === undefined ? `${octets.join('.')}/${length}` : null;
  };
  it('is found where the expression of flanneld finds it', () => {
    const piece = fc.constantFrom(
      '1',
      '0',
      '10',
      '255',
      '256',
      '.',
      '..',
      '-',
      '-24',
      '-31',
      'x',
      '/',
      '\n',
      '10.5.1.0',
      '&',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 14 }), (pieces) => {
        const text = pieces.join('');
        expect(shown(text, 'v0.16.3')).toBe(upstream(text, false));
        expect(shown(text, 'v0.28.9')).toBe(upstream(text, true));
      }),
      { numRuns: 3000 },
    );
  });

  it('is the same by the short way and by the expression', () => {
    const grammar = keyGrammarOf(newest);
    const tail = fc
      .array(fc.constantFrom('1', '0', '10', '255', '256', '.', '.', '-', '24', '031', 'x'), { maxLength: 10 })
      .map((parts) => parts.join(''));
    const wellFormed = fc
      .tuple(fc.nat(300), fc.nat(300), fc.nat(300), fc.nat(300), fc.nat(40))
      .map(([a, b, c, d, length]) => `${a}.${b}.${c}.${d}-${length}`);
    fc.assert(
      fc.property(fc.oneof(tail, wellFormed), (text) => {
        const key = `${prefix}/subnets/${text}`;
        const plain = readPlainLeaseKey(key, prefix.length + 9);
        if (plain === undefined) return;
        const slow = readLeaseKey(key, grammar);
        expect(slow).toMatchObject({ ok: true, address: plain.address, subnet: { length: plain.length } });
      }),
      { numRuns: 2000 },
    );
    expect(readPlainLeaseKey('10.5.1.0-24', 0)).toEqual({ address: 0x0a050100, length: 24 });
  });

  it('comes back from the key that is made of it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 31 }), fc.nat(0xffffffff), fc.boolean(), (length, address, dual) => {
        const base = address - (address % 2 ** (32 - length));
        const ipv6 = dual ? 'fc00:0:0:1::/64' : null;
        const key = parseLeaseKey(leaseKey(prefix, { base, length }, ipv6), newest);
        expect(key).toEqual({ ok: true, subnet: { base, length }, address: base, ipv6Subnet: ipv6 });
      }),
    );
    expect(leaseKey('/net/', { base: 0x0a050100, length: 24 })).toBe('/net/subnets/10.5.1.0-24');
  });

  it('of a megabyte is judged in the time of one look', () => {
    const megabyte = 1 << 20;
    // Quadratic time would be hours, far beyond the test's deadline.
    for (const text of ['1', '1.', '1.1', '1-', '.', '1.1.1.1-', 'x']) {
      const key = text.repeat(megabyte / text.length);
      for (const version of [old, newest])
        expect(parseLeaseKey(key, version).ok).toBe(text === '1.1.1.1-' && version === old);
      expect(parseLeaseKey(`1.${key}`, newest).ok).toBe(false);
    }
  });

  it('never throws, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (text) => {
        for (const version of [old, beforeAnchor, newest]) parseLeaseKey(text, version);
      }),
    );
  });
});

describe('the value of a lease', () => {
  const read = (text: string | Uint8Array, version = 'v0.28.9') =>
    parseLeaseValue(typeof text === 'string' ? bytes(text) : text, parseFlannelVersion(version));
  const attrs = (text: string, version?: string) => {
    const value = read(text, version);
    if (value.kind !== 'ok') throw new Error(value.error);
    return value.attrs;
  };

  it('of each backend and era is read with its data', () => {
    expect(attrs('{"PublicIP":"192.168.0.7"}', 'v0.11.0')).toMatchObject({
      publicIP: '192.168.0.7',
      backendType: null,
    });
    expect(
      attrs(
        '{"PublicIP":"192.168.0.7","BackendType":"vxlan","BackendData":{"VtepMAC":"0e:11:22:33:44:55"}}',
        'v0.11.0',
      ),
    ).toMatchObject({ backendType: 'vxlan', vtepMac: '0e:11:22:33:44:55', vni: null, backendProblem: null });
    expect(
      attrs(
        '{"PublicIP":"192.168.0.7","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"0e:11:22:33:44:55"}}',
      ),
    ).toMatchObject({ vni: 1, publicIPv6: null, backendData: '{"VNI":1,"VtepMAC":"0e:11:22:33:44:55"}' });
    expect(
      attrs(
        '{"PublicIP":"1.2.3.4","PublicIPv6":null,"BackendType":"wireguard","BackendData":{"PublicKey":"k=","Port":51820}}',
      ),
    ).toMatchObject({ publicKey: 'k=', port: 51_820, backendProblem: null });
    expect(
      attrs('{"PublicIP":"1.2.3.4","PublicIPv6":null,"BackendType":"extension","BackendData":"any text"}'),
    ).toMatchObject({
      backendData: '"any text"',
      backendProblem: null,
    });
    expect(
      attrs(
        '{"PublicIP":"1.2.3.4","PublicIPv6":"fd00::7","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"0e:11:22:33:44:55"},"BackendV6Data":{"VNI":1,"VtepMAC":"0e:11:22:33:44:56"}}',
      ),
    ).toMatchObject({ publicIPv6: 'fd00::7', backendV6Data: '{"VNI":1,"VtepMAC":"0e:11:22:33:44:56"}' });
  });

  it('without PublicIP is a lease of 0.0.0.0, with null or an empty one an error', () => {
    expect(attrs('{}').publicIP).toBeNull();
    expect(attrs('null').publicIP).toBeNull();
    expect(read('{"PublicIP":null}')).toMatchObject({ kind: 'error' });
    expect(read('{"PublicIP":""}')).toMatchObject({ kind: 'error' });
    expect(read('{"PublicIP":7}')).toMatchObject({ kind: 'error' });
  });

  it('with IPv6 text in PublicIP crashes flanneld up to v0.28.8 and is an error since', () => {
    for (const version of ['v0.8.0', 'v0.11.0', 'v0.20.2', 'v0.28.8']) {
      expect(read('{"PublicIP":"fd00::1"}', version)).toMatchObject({ kind: 'crash', ipv6PublicIP: true });
    }
    expect(read('{"PublicIP":"fd00::1"}', 'v0.28.9')).toMatchObject({
      kind: 'error',
      ipv6PublicIP: true,
      error: 'PublicIP fd00::1: invalid IPv4 address format',
    });
    expect(attrs('{"PublicIP":"::ffff:10.1.1.1"}').publicIP).toBe('10.1.1.1');
  });

  it('stops at the first address that cannot be read, and does not crash on a later one', () => {
    expect(read('{"PublicIPv6":"x","PublicIP":"fd00::1"}', 'v0.20.2')).toMatchObject({ kind: 'error' });
    expect(read('{"PublicIP":"fd00::1","PublicIPv6":"x"}', 'v0.20.2')).toMatchObject({ kind: 'crash' });
    expect(read('{"PublicIP":"fd00::1"', 'v0.20.2')).toMatchObject({
      kind: 'error',
      error: 'unexpected end of JSON input',
    });
    // A misfit is kept until the end, so the crash comes first.
    expect(read('{"BackendType":7,"PublicIP":"fd00::1"}', 'v0.20.2')).toMatchObject({ kind: 'crash' });
  });

  it('speaks of addresses in the words of the release', () => {
    expect(read('{"PublicIP":"x"}', 'v0.27.4')).toMatchObject({ error: 'PublicIP x: Invalid IP address format' });
    expect(read('{"PublicIP":"x"}', 'v0.28.0')).toMatchObject({ error: 'PublicIP x: invalid IP address format' });
  });

  it('follows Go for keys, duplicates, escapes and types', () => {
    expect(attrs('{"publicip":"1.2.3.4","PUBLICIP":"5.6.7.8"}').publicIP).toBe('5.6.7.8');
    expect(attrs('{"bac\u212aendType":"vxlan"}').backendType).toBe('vxlan');
    expect(attrs('{"BackendType":"host\\u002dgw"}').backendType).toBe('host-gw');
    expect(read('{"PublicIP":"1\\u002e2.3.4"}')).toMatchObject({ kind: 'error' });
    expect(read('{"BackendType":["vxlan"]}')).toMatchObject({
      kind: 'error',
      error: 'json: cannot unmarshal array into Go struct field LeaseAttrs.BackendType of type string',
    });
    expect(read('["x"]')).toMatchObject({ kind: 'error' });
    expect(attrs('{"BackendType":""}').backendType).toBeNull();
    expect(attrs('{"BackendData":null}').backendData).toBe('null');
  });

  it('knows IPv6 from v0.15.0 on', () => {
    expect(attrs('{"PublicIP":"1.2.3.4","PublicIPv6":"nonsense"}', 'v0.14.0').publicIPv6).toBeNull();
    expect(read('{"PublicIP":"1.2.3.4","PublicIPv6":"nonsense"}', 'v0.15.0')).toMatchObject({ kind: 'error' });
    expect(attrs('{"PublicIP":"1.2.3.4","PublicIPv6":"1.2.3.4"}', 'v0.15.0').publicIPv6).toBe('1.2.3.4');
  });

  it('says why peers cannot use its data', () => {
    const of = (data: string, version?: string) =>
      attrs(`{"BackendType":"vxlan","BackendData":${data}}`, version).backendProblem;
    expect(of('{"VNI":70000,"VtepMAC":"0e:11:22:33:44:55"}', 'v0.23.0')).toContain('65535');
    expect(of('{"VNI":70000,"VtepMAC":"0e:11:22:33:44:55"}', 'v0.24.0')).toBeNull();
    expect(of('{"VNI":70000,"VtepMAC":"0e:11:22:33:44:55"}', 'v0.13.0')).toBeNull();
    expect(of('{"VNI":1}')).toBe('VtepMAC is missing');
    expect(of('{"VtepMAC":"0e:11"}')).toContain('not a MAC address');
    expect(of('{"VtepMAC":null}')).toContain('not a MAC address');
    expect(of('[]')).toContain('cannot unmarshal array');
    expect(attrs('{"BackendType":"vxlan"}').backendProblem).toBe('BackendData is missing');
    expect(attrs('{"BackendType":"vxlan","BackendData":{"VtepMAC":"0E-11-22-33-44-AA"}}').vtepMac).toBe(
      '0e:11:22:33:44:aa',
    );
    expect(attrs('{"BackendType":"wireguard","BackendData":{}}').backendProblem).toBe('PublicKey is missing');
  });

  it('is the same by the short way and by that of Go, wherever the short way answers', () => {
    const versions = ['v0.11.0', 'v0.14.0', 'v0.16.3', 'v0.22.3', 'v0.28.9'].map(parseFlannelVersion);
    const part = fc.constantFrom(
      '{"PublicIP":"10.4.7.1"',
      '{"PublicIP":"10.4.07.1"',
      '{"PublicIP":"10.4.7.256"',
      ',"PublicIPv6":null',
      ',"PublicIPv6":"fd00::7"',
      ',"PublicIPv6":"fd00:0::7"',
      ',"BackendType":"vxlan"',
      ',"BackendType":"wireguard"',
      ',"BackendType":"host-gw"',
      ',"BackendData":{"VNI":1,"VtepMAC":"0e:11:22:33:44:55"}',
      ',"BackendData":{"VNI":70000,"VtepMAC":"0e:11:22:33:44:55"}',
      ',"BackendData":{"VNI":01,"VtepMAC":"0e:11:22:33:44:55"}',
      ',"BackendData":{"VtepMAC":"0E:11:22:33:44:55"}',
      ',"BackendData":{"PublicKey":"abc="}',
      ',"BackendData":{"PublicKey":"abc=","Port":70000}',
      ',"BackendV6Data":{"VNI":1,"VtepMAC":"0e:11:22:33:44:55"}',
      ',"BackendV6Data":{"PublicKey":"abc=","Port":51821}',
      ' ',
      '}',
    );
    let short = 0;
    fc.assert(
      fc.property(fc.array(part, { maxLength: 5 }), fc.constantFrom(...versions), (parts, version) => {
        const rules = valueRulesOf(version);
        const text = bytes(`{"PublicIP":"10.4.7.1"${parts.join('').replace(/^\{"PublicIP":"[\d.]*"/, '')}}`);
        const plain = readPlainLeaseValue(text, rules);
        if (plain === undefined) return;
        short += 1;
        expect(readLeaseValue(text, rules)).toEqual({ kind: 'ok', attrs: plain });
      }),
      { numRuns: 6000 },
    );
    expect(short).toBeGreaterThan(200);
  });

  it('never throws, and the short way agrees, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.json().map(bytes)), (value) => {
        for (const version of [old, newest]) {
          const plain = readPlainLeaseValue(value, valueRulesOf(version));
          const slow = readLeaseValue(value, valueRulesOf(version));
          if (plain !== undefined) expect(slow).toEqual({ kind: 'ok', attrs: plain });
        }
      }),
    );
  });

  it('that is hostile does no harm', () => {
    const megabyte = 1 << 20;
    expect(read('['.repeat(megabyte))).toMatchObject({ kind: 'error' });
    expect(read(`{"PublicIP":"${'1'.repeat(megabyte)}"}`)).toMatchObject({ kind: 'error' });
    const longType = attrs(`{"BackendType":"${'x'.repeat(megabyte)}"}`).backendType;
    expect(longType).toHaveLength(megabyte);
    expect(attrs('{"__proto__":{"publicIP":"6.6.6.6"},"PublicIP":"1.2.3.4"}').publicIP).toBe('1.2.3.4');
    expect(({} as { publicIP?: string }).publicIP).toBeUndefined();
    expect(read(new Uint8Array([0xff, 0xfe, 0x00]))).toMatchObject({ kind: 'error' });
    const broken = new Uint8Array([...bytes('{"BackendType":"'), 0xff, 0x80, ...bytes('"}')]);
    expect(read(broken)).toMatchObject({ kind: 'ok', attrs: { backendType: '\ufffd\ufffd' } });
    expect(read('')).toMatchObject({ kind: 'error', error: 'unexpected end of JSON input' });
  });
});

describe('the leases of a network', () => {
  const lease = '{"PublicIP":"192.168.0.7"}';
  const under = (tail: string, value: string = lease) => stored(`${prefix}/${tail}`, value);

  it('are sorted by number, not by the text of their keys', () => {
    const entries = ['subnets/10.5.10.0-24', 'subnets/10.5.2.0-24', 'subnets/9.0.0.0-24', 'subnets/10.5.2.0-25'].map(
      (tail) => under(tail),
    );
    const { leases } = readLeases({ api: 'v3', entries }, prefix, newest);
    expect(leases.map(({ subnetText }) => subnetText)).toEqual([
      '9.0.0.0/24',
      '10.5.2.0/24',
      '10.5.2.0/25',
      '10.5.10.0/24',
    ]);
  });

  it('keep what etcd says of their keys', () => {
    const entry = stored(`${prefix}/subnets/10.5.1.0-24`, lease, { leaseId: '694d', ttlSeconds: 9, permanent: false });
    expect(readLeases({ api: 'v3', entries: [entry] }, prefix, newest).leases[0]).toMatchObject({
      key: `${prefix}/subnets/10.5.1.0-24`,
      publicIP: '192.168.0.7',
      leaseId: '694d',
      ttlSeconds: 9,
      permanent: false,
      revision: '7',
      createdRevision: '3',
    });
  });

  it('on v3 are all that begin with the listing, also beside and below the directory', () => {
    const entries = [
      under('config', '{}'),
      under('configs'),
      under('notes/10.5.9.0-24'),
      under('subnets-old/10.5.1.0-24'),
      under('subnets-old/readme'),
      under('subnets/10.5.2.0-24'),
      under('subnets/10.5.3.0-24', 'garbage'),
      under('subnets/lock'),
      under('subnets/old/10.5.4.0-24'),
      stored('/coreos.com/networks/config', '{}'),
      stored('/coreos.com/network-netctl/history/1', '{}'),
    ];
    const reading = readLeases({ api: 'v3', entries }, `${prefix}/`, newest);
    expect(reading.config).toBe(entries[0]);
    expect(reading.leases.map(({ subnetText }) => subnetText)).toEqual(['10.5.1.0/24', '10.5.2.0/24', '10.5.4.0/24']);
    expect(reading.unreadable.map(({ key, part }) => [key.slice(prefix.length), part])).toEqual([
      ['/subnets-old/readme', 'key'],
      ['/subnets/10.5.3.0-24', 'value'],
      ['/subnets/lock', 'key'],
    ]);
    expect(reading.foreign.map(({ key, seenAs }) => [key.slice(prefix.length), seenAs])).toEqual([
      ['/configs', 'no'],
      ['/notes/10.5.9.0-24', 'no'],
      ['/subnets-old/10.5.1.0-24', 'lease'],
      ['/subnets-old/readme', 'unreadable'],
      ['/subnets/old/10.5.4.0-24', 'lease'],
    ]);
  });

  it('on v2 are those in the directory alone; what lies deeper is seen when it changes', () => {
    const entries = [under('subnets-old/10.5.1.0-24'), under('subnets/10.5.2.0-24'), under('subnets/old/10.5.4.0-24')];
    const reading = readLeases({ api: 'v2', entries }, prefix, parseFlannelVersion('v0.11.0'));
    expect(reading.leases.map(({ subnetText }) => subnetText)).toEqual(['10.5.2.0/24']);
    expect(reading.foreign.map(({ seenAs }) => seenAs)).toEqual(['no', 'event']);
  });

  it('tell a value that is the text of its own key', () => {
    const key = `${prefix}/subnets/10.5.3.0-24`;
    const { unreadable } = readLeases(
      { api: 'v3', entries: [stored(key, `${key}\n`), under('subnets/10.5.4.0-24', 'x')] },
      prefix,
      newest,
    );
    expect(unreadable.map(({ valueIsKey }) => valueIsKey)).toEqual([true, false]);
    expect(unreadable[0]).toMatchObject({ subnet: { base: 0x0a050300, length: 24 }, outcome: 'error' });
  });

  it("in the usual form are kept as numbers, and say what the reader by Go's rules says", () => {
    const address = fc.ipV4();
    const mac = fc
      .array(fc.nat(255), { minLength: 6, maxLength: 6 })
      .map((all) => all.map((byte) => byte.toString(16).padStart(2, '0')).join(':'));
    const value = fc
      .tuple(
        address,
        fc.boolean(),
        fc.constantFrom('none', 'host-gw', 'vxlan', 'old vxlan'),
        fc.nat(70_000),
        mac,
        fc.constantFrom('', '', '', ' ', ',"X":1'),
      )
      .map(([ip, withNull, type, vni, vtepMac, odd]) => {
        const data = `{${type === 'vxlan' ? `"VNI":${vni},` : ''}"VtepMAC":"${vtepMac}"}`;
        const backend = type === 'none' ? '' : `,"BackendType":"${type.replace('old ', '')}"`;
        return `{"PublicIP":"${ip}"${withNull ? ',"PublicIPv6":null' : ''}${backend}${type.endsWith('vxlan') ? `,"BackendData":${data}` : ''}${odd}}`;
      });
    const key = fc
      .tuple(address, fc.integer({ min: -1, max: 32 }))
      .map(([ip, length]) => `${prefix}/subnets/${ip}-${length}`);
    const leased = fc.record({ permanent: fc.boolean(), revision: fc.nat().map(String) });
    let usual = 0;
    fc.assert(
      fc.property(key, value, leased, (name, text, more) => {
        const entry = stored(name, text, more);
        const [read] = readLeases({ api: 'v3', entries: [entry] }, prefix, newest).leases;
        const place = readLeaseKey(name, keyGrammarOf(newest));
        const attrs = readLeaseValue(bytes(text), valueRulesOf(newest));
        expect(read !== undefined).toBe(place.ok && attrs.kind === 'ok');
        if (read === undefined || !place.ok || attrs.kind !== 'ok') return;
        if (read instanceof PlainLease) usual += 1;
        expect(read).toMatchObject({
          ...attrs.attrs,
          subnet: place.subnet,
          address: place.address,
          ipv6Subnet: null,
          key: name,
        });
        expect(read).toMatchObject({
          ...more,
          createdRevision: entry.createdRevision,
          leaseId: null,
          ttlSeconds: null,
        });
        expect(read.subnetText).toBe(name.slice(`${prefix}/subnets/`.length).replace('-', '/'));
      }),
      { numRuns: 3000 },
    );
    expect(usual).toBeGreaterThan(1000);
  });

  it('are read one at a time for a watch, in the same way', () => {
    const entry = under('subnets/10.5.2.0-24');
    expect(readLease(entry, prefix, newest)).toEqual(
      readLeases({ api: 'v3', entries: [entry] }, prefix, newest).leases[0],
    );
    expect(readLease(under('subnets/x'), prefix, newest)).toMatchObject({ part: 'key' });
  });

  it('with a subnet in the prefix are what the old expression makes of the whole key', () => {
    const entries = [stored('/net-10.9.0.0-16/subnets/10.5.2.0-24', lease)];
    const of = (version: string) =>
      readLeases({ api: 'v2', entries }, '/net-10.9.0.0-16', parseFlannelVersion(version)).leases[0]?.subnetText;
    expect(of('v0.16.3')).toBe('10.9.0.0/16');
    expect(of('v0.17.0')).toBe('10.5.2.0/24');
  });

  it('of 65,536 nodes are read in a moment', () => {
    const entries = Array.from({ length: 65_536 }, (_, i) =>
      stored(
        `${prefix}/subnets/10.${i >> 8}.${i & 255}.0-24`,
        `{"PublicIP":"172.16.${i >> 8}.${i & 255}","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"0e:00:00:00:00:0a"}}`,
      ),
    ).sort((a, b) => (a.key < b.key ? -1 : 1));
    const times = Array.from({ length: 5 }, () => {
      const started = performance.now();
      expect(readLeases({ api: 'v3', entries }, prefix, newest).leases).toHaveLength(65_536);
      return performance.now() - started;
    });
    console.log(`65,536 leases: ${times.map((time) => time.toFixed(0)).join(', ')} ms`);
  });
});
