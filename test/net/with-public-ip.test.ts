import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseFlannelVersion } from '../../src/lib/net/flannel-version';
import { formatIpv4 } from '../../src/lib/net/ipv4';
import { parseLeaseValue } from '../../src/lib/net/lease-value';
import { withPublicIP } from '../../src/lib/net/with-public-ip';

const version = parseFlannelVersion('v0.28.9');
const change = (text: string, ip = '10.4.7.99'): string | undefined => {
  const changed = withPublicIP(Buffer.from(text), ip, version);
  return changed === undefined ? undefined : Buffer.from(changed).toString('utf8');
};

describe('withPublicIP', () => {
  it.each([
    ['{"PublicIP":"10.4.7.21","BackendType":"host-gw"}', '{"PublicIP":"10.4.7.99","BackendType":"host-gw"}'],
    [
      '{ "More": {"PublicIP":"1.1.1.1"}, "publicIP" :\t"10.4.7.21" }\n',
      '{ "More": {"PublicIP":"1.1.1.1"}, "publicIP" :\t"10.4.7.99" }\n',
    ],
    ['{"PublicIP":"10.4.7.21","PUBLICIP":"10.4.7.22"}', '{"PublicIP":"10.4.7.99","PUBLICIP":"10.4.7.99"}'],
    ['{"PublicIPv6":null}', '{"PublicIP":"10.4.7.99","PublicIPv6":null}'],
    ['{}', '{"PublicIP":"10.4.7.99"}'],
    ['{"Müller":"\\u00fc €","PublicIP":"10.4.7.21"}', '{"Müller":"\\u00fc €","PublicIP":"10.4.7.99"}'],
  ])('changes %s in one place', (before, after) => {
    expect(change(before)).toBe(after);
  });

  it('does not touch what flanneld cannot read', () => {
    for (const text of [
      '',
      'x',
      '[]',
      'null',
      '{"PublicIP":"10.4.7.21"',
      '{"PublicIP":"10.4.7.21","PublicIPv6":"x"}',
    ]) {
      expect(change(text)).toBeUndefined();
    }
    expect(change('{"PublicIP":"10.4.7.21"}', 'fd00::1')).toBeUndefined();
  });

  it('leaves everything else to flanneld as it was, whatever else is there', () => {
    const member = fc.tuple(
      fc.oneof(fc.string(), fc.constantFrom('PublicIP', 'publicip', 'BackendType', 'PublicIPv6', 'BackendData')),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(fc.array(member), fc.nat(0xffff_ffff).map(formatIpv4), fc.boolean(), (members, ip, spaced) => {
        const text = `{${members.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value, null, spaced ? 1 : 0)}`).join(',')}}`;
        const before = parseLeaseValue(Buffer.from(text), version);
        const after = change(text, ip);
        // An address that flanneld could not read may be put right by it, and nothing else.
        if (before.kind === 'ok') expect(after).toBeDefined();
        if (after === undefined || before.kind !== 'ok') return;
        expect(parseLeaseValue(Buffer.from(after), version)).toEqual({
          ...before,
          attrs: { ...before.attrs, publicIP: ip },
        });
      }),
    );
  });
});
