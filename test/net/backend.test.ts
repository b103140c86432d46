import { describe, expect, it } from 'vitest';
import {
  backendOf,
  backendsOf,
  backendTypes,
  carriesIpv6,
  optionsOf,
  subnetEnvMtu,
  withoutSecrets,
} from '../../src/lib/net/backend';
import { parseFlannelVersion } from '../../src/lib/net/flannel-version';

const names = (tag: string) =>
  backendsOf(parseFlannelVersion(tag))
    .map((backend) => backend.type)
    .sort();

describe('the backends', () => {
  it.each([
    ['v0.8.0', 'ali-vpc alloc aws-vpc extension gce host-gw udp vxlan'],
    ['v0.10.0', 'ali-vpc alloc aws-vpc extension gce host-gw ipip udp vxlan'],
    ['v0.19.2', 'ali-vpc alloc aws-vpc extension gce host-gw ipip ipsec tencent-vpc udp vxlan wireguard'],
    ['v0.20.0', 'alloc extension host-gw ipip ipsec tencent-vpc udp vxlan wireguard'],
  ])('of %s are those that it registers', (tag, expected) => {
    expect(names(tag).join(' ')).toBe(expected);
  });

  it('are found in any case, untrimmed', () => {
    expect(backendOf('VxLAN')?.type).toBe('vxlan');
    expect(backendOf('vxlan ')).toBeUndefined();
    expect(backendOf('__proto__')).toBeUndefined();
  });

  it('have the options of their release', () => {
    const vxlan = backendOf('vxlan');
    if (!vxlan) throw new Error('no vxlan');
    const options = (tag: string) => optionsOf(vxlan, parseFlannelVersion(tag)).map((option) => option.name);
    expect(options('v0.8.0')).toEqual(['VNI', 'Port', 'GBP']);
    expect(options('v0.11.0')).toEqual(['VNI', 'Port', 'GBP', 'DirectRouting']);
    expect(options('v0.21.3')).toEqual(['VNI', 'Port', 'GBP', 'DirectRouting', 'Learning', 'MTU']);
  });

  it('carry IPv6 or do not', () => {
    const newest = parseFlannelVersion('v0.28.9');
    const carriers = backendTypes.filter((backend) => carriesIpv6(backend, newest)).map((backend) => backend.type);
    expect(carriers.sort()).toEqual(['extension', 'host-gw', 'vxlan', 'wireguard']);
  });
});

describe('the MTU in subnet.env', () => {
  it.each<[string, Record<string, unknown>, string, number]>([
    ['udp', {}, 'v0.28.9', 1472],
    ['vxlan', {}, 'v0.11.0', 1450],
    ['vxlan', { MTU: null }, 'v0.28.9', 1450],
    ['vxlan', { MTU: 9000 }, 'v0.28.9', 8950],
    ['vxlan', { MTU: 9000 }, 'v0.21.2', 1450],
    ['vxlan', { MTU: 0 }, 'v0.28.9', -50],
    ['host-gw', {}, 'v0.28.9', 1500],
    ['alloc', {}, 'v0.28.9', 1500],
    ['ipip', {}, 'v0.28.9', 1480],
    ['wireguard', {}, 'v0.28.9', 1420],
    ['ipsec', { UDPEncap: false }, 'v0.28.9', 1423],
    ['ipsec', { UDPEncap: true }, 'v0.28.9', 1415],
  ])('of %s with %j in %s is %i', (type, options, tag, mtu) => {
    expect(subnetEnvMtu({ type, options }, 1500, parseFlannelVersion(tag))).toBe(mtu);
  });
});

describe('secrets', () => {
  it('are left out of what is printed', () => {
    expect(withoutSecrets('ipsec', { PSK: 'secret', UDPEncap: true })).toEqual({ PSK: '(hidden)', UDPEncap: true });
    expect(withoutSecrets('wireguard', { PSK: '', ListenPort: 1 })).toEqual({ PSK: '', ListenPort: 1 });
  });
});
