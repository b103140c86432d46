import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidInput } from '../../src/lib/errors';
import { backedUpOwnKeys, formatBackup, type NetworkBackup, parseBackup } from '../../src/lib/net/backup-file';
import { safeJson } from '../../src/lib/view/safe-text';

const head = {
  madeAt: '2026-11-20T12:00:00.000Z',
  madeBy: 'anna@ops',
  netctl: '1.2.3',
  api: 'v3',
  clusterId: 'cdf818194e3a8c32',
  prefix: '/coreos.com/network',
  revision: '42',
  flannel: 'v0.28.9',
} as const;

const backup: NetworkBackup = {
  head,
  config: Buffer.from('{"Network":"10.5.0.0/16"}'),
  leases: [
    { tail: '10.5.1.0-24', value: Buffer.from('{"PublicIP":"192.168.0.1"}'), permanent: false, ttlSeconds: 80_000 },
    { tail: '10.5.2.0-24', value: Buffer.from([0xff, 0x00]), permanent: true, ttlSeconds: null },
  ],
  own: [{ tail: 'reservations/10.5.3.0-24', value: Buffer.from('{}') }],
};

const written = (of: NetworkBackup): string => Array.from(formatBackup(of)).join('');
/** With a checksum that fits, as somebody makes it who wants to be believed. */
const resealed = (content: string): Buffer => {
  const body = content.replace(/"sha256":"[0-9a-f]{64}"\n\}\n$/, '');
  return Buffer.from(`${body}"sha256":"${createHash('sha256').update(body).digest('hex')}"\n}\n`);
};
const codeOf = (bytes: Uint8Array): string => {
  try {
    parseBackup(bytes, 'x');
    return 'read';
  } catch (error) {
    if (error instanceof InvalidInput) return error.code;
    throw error;
  }
};

describe('the file of a backup', () => {
  it('has one key a line, and what counts down apart from it', () => {
    const lines = written(backup).split('\n');
    expect(lines).toContain('{"key":"10.5.1.0-24","value":"{\\"PublicIP\\":\\"192.168.0.1\\"}"},');
    expect(lines).toContain('{"key":"10.5.2.0-24","base64":"/wA=","permanent":true}');
    expect(lines).toContain('["10.5.1.0-24",80000]');
    expect(lines.slice(-3, -1)).toEqual([expect.stringMatching(/^"sha256":"[0-9a-f]{64}"$/), '}']);
    expect(JSON.parse(lines.join('\n'))).toMatchObject({ apiVersion: 'netctl/v1', kind: 'NetworkBackup' });
  });

  it('a renewal changes one line of it, in the part that counts down', () => {
    const [first, second] = backup.leases;
    if (first === undefined || second === undefined) throw new Error('no leases');
    const later = written({ ...backup, leases: [{ ...first, ttlSeconds: 86_400 }, second] }).split('\n');
    const changed = written(backup)
      .split('\n')
      .filter((line, index) => later[index] !== line);
    expect(changed).toEqual(['["10.5.1.0-24",80000]', expect.stringContaining('sha256')]);
  });

  it('gives back what it was made of, whatever the bytes, also with a careful JSON', () => {
    const bytes = fc.uint8Array({ maxLength: 40 });
    const text = fc.string({ unit: 'binary', maxLength: 20 });
    const tail = text.filter((key) => key !== '' && !key.includes('/'));
    const lease = fc.record({
      tail,
      value: bytes,
      life: fc.option(fc.nat({ max: 90_000 }), { nil: null }),
      permanent: fc.boolean(),
    });
    const own = fc.record({
      tail: fc.tuple(fc.constantFrom(...backedUpOwnKeys), tail).map((parts) => parts.join('')),
      value: bytes,
    });
    const all = fc.record({
      config: fc.option(bytes, { nil: null }),
      leases: fc.uniqueArray(lease, { selector: (one) => one.tail, maxLength: 8 }),
      own: fc.uniqueArray(own, { selector: (one) => one.tail, maxLength: 4 }),
      madeBy: text,
    });
    fc.assert(
      fc.property(all, ({ config, leases, own: ownKeys, madeBy }) => {
        const of: NetworkBackup = {
          head: { ...head, madeBy },
          config,
          leases: leases.map(({ tail: key, value, permanent, life }) => ({
            tail: key,
            value,
            permanent,
            ttlSeconds: permanent ? null : life,
          })),
          own: ownKeys,
        };
        const plain = (one: NetworkBackup) => ({
          ...one,
          config: one.config === null ? null : Buffer.from(one.config),
          leases: one.leases.map((each) => ({ ...each, value: Buffer.from(each.value) })),
          own: one.own.map((each) => ({ ...each, value: Buffer.from(each.value) })),
        });
        expect(plain(parseBackup(Buffer.from(written(of)), 'x'))).toEqual(plain(of));
        const careful = Array.from(formatBackup(of, (value) => safeJson(value))).join('');
        expect(plain(parseBackup(Buffer.from(careful), 'x'))).toEqual(plain(of));
      }),
    );
  });

  it('is not believed when one byte of it is another one, or its end is missing', () => {
    const bytes = Buffer.from(written(backup));
    fc.assert(
      fc.property(fc.nat({ max: bytes.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const other = Buffer.from(bytes);
        other[at] = (other[at] ?? 0) ^ change;
        expect(['backup-damaged', 'not-a-backup']).toContain(codeOf(other));
      }),
    );
    for (const length of [0, 1, 80, bytes.length - 1]) {
      expect(codeOf(bytes.subarray(0, length))).toBe('not-a-backup');
    }
    expect(codeOf(Buffer.from(written(backup).replaceAll('\n', '\r\n')))).toBe('not-a-backup');
  });

  it.each([
    ['another kind', /"kind":"NetworkBackup"/, '"kind":"Backup"'],
    ['a later version', /"netctl\/v1"/, '"netctl/v2"'],
    ['no JSON', /"own":/, '"own":{'],
    ['a lease twice', /"key":"10.5.2.0-24"/, '"key":"10.5.1.0-24"'],
    ['a lease that leads elsewhere', /"key":"10.5.2.0-24"/, '"key":"../config"'],
    ['a lease without a name', /"key":"10.5.2.0-24"/, '"key":""'],
    ['the lock', /"reservations\/10.5.3.0-24"/, '"lock"'],
    ['a key of its own elsewhere', /"reservations\/10.5.3.0-24"/, '"../network/config"'],
    ['a folder only', /"reservations\/10.5.3.0-24"/, '"reservations/"'],
    ['a value that is none', /"base64":"\/wA="/, '"base64":"%%"'],
    ['a time that is none', /80000/, '"soon"'],
    ['a negative time', /80000/, '-1'],
    ['a prototype', /"value":"\{\}"/, '"__proto__":{"value":"{}"}'],
    ['another store', /"api":"v3"/, '"api":"v4"'],
  ])('with %s in it is refused, though its checksum fits', (_name, pattern, instead) => {
    expect(codeOf(resealed(written(backup)))).toBe('read');
    const changed = written(backup).replace(pattern, instead);
    expect(changed).not.toBe(written(backup));
    expect(codeOf(resealed(changed))).toBe('not-a-backup');
  });
});
