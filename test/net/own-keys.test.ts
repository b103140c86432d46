import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidInput } from '../../src/lib/errors';
import { cleanPrefix, configKey, leaseListing } from '../../src/lib/net/flannel-keys';
import { parseFlannelVersion } from '../../src/lib/net/flannel-version';
import { readLeases } from '../../src/lib/net/lease';
import { historyKey, historyPrefix, ownPrefix, prefixProblem, requirePrefix } from '../../src/lib/net/own-keys';

const segment = fc.constantFrom(
  'a',
  'net',
  'coreos.com',
  'network',
  'subnets',
  'subnets-old',
  'x-netctl',
  'config',
  '..',
  '.',
  '',
);
const anyPrefix = fc.array(segment, { maxLength: 5 }).map((segments) => `/${segments.join('/')}`);

describe("flannel's keys", () => {
  it('are those of a prefix cleaned as Go cleans a path', () => {
    expect(cleanPrefix('/coreos.com//network/')).toBe('/coreos.com/network');
    expect(cleanPrefix('/a/./b/../c')).toBe('/a/c');
    expect(cleanPrefix('a/b')).toBe('a/b');
    expect(cleanPrefix('/')).toBe('');
    expect(configKey('/net/')).toBe('/net/config');
    expect(leaseListing('/net/')).toBe('/net/subnets');
    expect(configKey('/')).toBe('/config');
  });
});

describe("netctl's own keys", () => {
  it('lie beside the network, and in the order of time', () => {
    expect(ownPrefix('/coreos.com/network/')).toBe('/coreos.com/network-netctl/');
    expect(historyPrefix('/net')).toBe('/net-netctl/history/');
    expect(historyKey('/net', '42')).toBe('/net-netctl/history/00000000000000000042');
    expect(historyKey('/net', '9') < historyKey('/net', '10')).toBe(true);
    expect(() => historyKey('/net', '../config')).toThrow('not a revision');
  });

  it('are never in the listing of flanneld of any network at any prefix, nor below their own', () => {
    let checked = 0;
    fc.assert(
      fc.property(anyPrefix, anyPrefix, fc.bigInt({ min: 0n, max: 2n ** 63n }), (ours, other, revision) => {
        if (prefixProblem(ours) !== null) return;
        const key = historyKey(ours, String(revision));
        // flanneld on any prefix at all, ours included, also on one that netctl would refuse.
        expect(key.startsWith(leaseListing(other))).toBe(false);
        expect(key.startsWith(`${cleanPrefix(ours)}/`)).toBe(false);
        checked += 1;
      }),
      { numRuns: 5000 },
    );
    expect(checked).toBeGreaterThan(500);
  });

  it('survive a wipe of the network and are not read as part of it', () => {
    const key = historyKey('/coreos.com/network', '7');
    expect(key.startsWith('/coreos.com/network/')).toBe(false);
    const entry = { key, value: new Uint8Array(), revision: '1', createdRevision: '1', permanent: true };
    const reading = readLeases({ api: 'v3', entries: [entry] }, '/coreos.com/network', parseFlannelVersion('v0.28.9'));
    expect(reading).toEqual({ config: null, leases: [], unreadable: [], foreign: [] });
  });
});

describe('a prefix', () => {
  it.each(['/coreos.com/network', '/net/', 'net', '/my.net+blue', '/netctl', '/my-subnets', '/'])(
    '%j may hold a network',
    (prefix) => {
      expect(prefixProblem(prefix)).toBeNull();
      expect(requirePrefix(prefix)).toBe(cleanPrefix(prefix));
    },
  );

  it.each([
    ['', 'empty'],
    ['.', 'empty'],
    ['../x', 'out of the tree'],
    ['/coreos.com/network-netctl', '-netctl'],
    ['/coreos.com/network-netctl/history', '-netctl'],
    ['/coreos.com/network/subnets', 'subnets'],
    ['/coreos.com/network/subnets-old', 'subnets'],
    ['/net\nwork', 'control character'],
    ['/net(', 'regular expression'],
    ['/net[', 'regular expression'],
    ['/*+', 'regular expression'],
  ])('%j may not: %s', (prefix, why) => {
    expect(prefixProblem(prefix)).toContain(why);
    expect(() => requirePrefix(prefix)).toThrow(InvalidInput);
  });
});
