import { describe, expect, it } from 'vitest';
import { InvalidInput } from '../../src/lib/errors';
import {
  compareFlannel,
  etcdApiOf,
  isAtLeast,
  judgedAs,
  newestFlannel,
  oldestFlannel,
  parseFlannelVersion,
} from '../../src/lib/net/flannel-version';

describe('a flannel version', () => {
  it('is written with or without a v', () => {
    expect(parseFlannelVersion('0.11.0')).toEqual({ major: 0, minor: 11, patch: 0, tag: 'v0.11.0' });
    expect(parseFlannelVersion(' v0.11.0\n')).toEqual(parseFlannelVersion('0.11.0'));
    expect(parseFlannelVersion(newestFlannel.tag)).toEqual(newestFlannel);
    expect(parseFlannelVersion(oldestFlannel.tag)).toEqual(oldestFlannel);
  });

  it('keeps a suffix in its tag and is judged by its number', () => {
    const built = parseFlannelVersion('v0.20.1-k3s1.23');
    expect(built.tag).toBe('v0.20.1-k3s1.23');
    expect(compareFlannel(built, parseFlannelVersion('0.20.1'))).toBe(0);
  });

  it.each([
    '',
    'latest',
    '0.11',
    'v0.11.0.1',
    'vv0.11.0',
    '0.011.0',
    '0.11.x',
    '-0.11.0',
    '0.11.0 rubbish',
    `0.1.${'9'.repeat(400)}`,
  ])('is not %j', (text) => {
    expect(() => parseFlannelVersion(text)).toThrowError(InvalidInput);
    expect(() => parseFlannelVersion(text)).toThrowError(expect.objectContaining({ code: 'bad-flannel-version' }));
  });

  it('before v0.8.0 is not known', () => {
    expect(() => parseFlannelVersion('v0.7.1')).toThrowError(
      expect.objectContaining({ code: 'unknown-flannel-version' }),
    );
  });

  it('says which etcd API it needs', () => {
    expect(etcdApiOf(parseFlannelVersion('v0.17.0'))).toBe('v2');
    expect(etcdApiOf(parseFlannelVersion('v0.18.0'))).toBe('v3');
  });

  it('compares by number, not by text', () => {
    expect(isAtLeast(parseFlannelVersion('0.9.1'), 'v0.10.0')).toBe(false);
    expect(isAtLeast(parseFlannelVersion('0.10.0'), 'v0.10.0')).toBe(true);
    expect(isAtLeast(parseFlannelVersion('1.0.0'), 'v0.28.9')).toBe(true);
  });

  it('newer than known is judged as the newest, with a note', () => {
    expect(judgedAs(parseFlannelVersion('0.22.3')).note).toBeNull();
    const judged = judgedAs(parseFlannelVersion('1.2.3'));
    expect(judged.version).toEqual(newestFlannel);
    expect(judged.note).toMatch(/v1\.2\.3.*v0\.28\.9/);
  });
});
