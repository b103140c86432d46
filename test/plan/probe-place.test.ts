import { describe, expect, it } from 'vitest';
import { addressOf } from '../../src/lib/fact/address';
import { dockerNetworks } from '../../src/lib/fact/docker-networks';
import { known, unknown } from '../../src/lib/fact/fact';
import { links } from '../../src/lib/fact/links';
import type { ProbeSeen } from '../../src/lib/fact/probe-facts';
import { parseSubnetEnv } from '../../src/lib/net/subnet-env';
import { probePlace } from '../../src/lib/plan/probe-place';

const bytes = (text: string) => ({ code: 0, stdout: new TextEncoder().encode(text), stderr: new Uint8Array() });

/** As `ip -j -d addr` of a lab host shows them, shortened to what counts. */
function linksOf(...of: readonly { name: string; address?: string; kind?: string; mtu?: number; flags?: string[] }[]) {
  return links.parse(
    bytes(
      JSON.stringify(
        of.map(({ name, address, kind, mtu = 1500, flags = ['UP', 'LOWER_UP'] }, index) => ({
          ifindex: index + 1,
          ifname: name,
          flags,
          mtu,
          ...(kind === undefined ? {} : { linkinfo: { info_kind: kind } }),
          addr_info:
            address === undefined
              ? []
              : [{ family: 'inet', local: address.split('/')[0], prefixlen: Number(address.split('/')[1]) }],
        })),
      ),
    ),
  );
}

function networksOf(...of: readonly { name: string; device: string; subnet: string; mtu?: string }[]) {
  return dockerNetworks.parse(
    bytes(
      JSON.stringify(
        of.map(({ name, device, subnet, mtu }) => ({
          Name: name,
          Id: 'a'.repeat(64),
          Driver: 'bridge',
          IPAM: { Config: [{ Subnet: subnet }] },
          Options: {
            'com.docker.network.bridge.name': device,
            ...(mtu === undefined ? {} : { 'com.docker.network.driver.mtu': mtu }),
          },
        })),
      ),
    ),
  );
}

function subnetEnv(text: string) {
  return known({ present: true as const, reading: parseSubnetEnv(text), modifiedAtSeconds: 0 });
}

const usual: ProbeSeen = {
  links: linksOf(
    { name: 'eth0', address: '10.4.7.21/24' },
    { name: 'docker0', address: '172.7.21.1/24', kind: 'bridge' },
    { name: 'flannel.1', address: '172.7.21.0/32', kind: 'vxlan', mtu: 1450 },
  ),
  networks: networksOf({ name: 'bridge', device: 'docker0', subnet: '172.7.21.0/24', mtu: '1450' }),
  containers: known([]),
  subnetEnv: subnetEnv('FLANNEL_NETWORK=172.7.0.0/16\nFLANNEL_SUBNET=172.7.21.1/24\nFLANNEL_MTU=1450\n'),
};

const container = (address: string) => ({
  id: 'b'.repeat(64),
  name: 'web',
  image: 'busybox',
  restartPolicy: 'no',
  restartsWithDocker: false,
  networks: new Map([['bridge', addressOf(address) ?? null]]),
  pid: 1,
});

describe('the place of a probe', () => {
  it('is where a container would stand: its bridge, its MTU, its gateway, the highest addresses first', () => {
    const place = probePlace(usual);
    expect(place).toMatchObject({
      known: true,
      value: { bridge: 'docker0', mtu: 1450, length: 24, gateway: '172.7.21.1' },
    });
    const candidates = place.known ? place.value.candidates : [];
    expect(candidates.slice(0, 2)).toEqual(['172.7.21.254', '172.7.21.253']);
    expect(candidates).toHaveLength(16);
  });

  it('is never the address of a container, of the bridge, or the first or last of the subnet', () => {
    const place = probePlace({
      ...usual,
      links: linksOf({ name: 'docker0', address: '172.7.21.30/27', kind: 'bridge' }),
      containers: known([container('172.7.21.29'), container('172.7.21.2')]),
    });
    const candidates = place.known ? place.value.candidates : [];
    expect(candidates[0]).toBe('172.7.21.28');
    for (const address of ['172.7.21.31', '172.7.21.30', '172.7.21.29', '172.7.21.0']) {
      expect(candidates).not.toContain(address);
    }
  });

  it('is the bridge with the subnet that flanneld wrote, though docker0 is another', () => {
    const seen: ProbeSeen = {
      ...usual,
      links: linksOf(
        { name: 'docker0', address: '172.17.0.1/16', kind: 'bridge' },
        { name: 'br-overlay', address: '172.7.21.1/24', kind: 'bridge' },
      ),
      networks: networksOf(
        { name: 'bridge', device: 'docker0', subnet: '172.17.0.0/16', mtu: '1500' },
        { name: 'overlay', device: 'br-overlay', subnet: '172.7.21.0/24', mtu: '1450' },
      ),
    };
    expect(probePlace(seen)).toMatchObject({ value: { bridge: 'br-overlay', mtu: 1450 } });
  });

  it('is docker0 without a subnet of flanneld, and with what new containers get, not what the idle bridge shows', () => {
    const seen: ProbeSeen = { ...usual, subnetEnv: known({ present: false }) };
    expect(probePlace(seen)).toMatchObject({ value: { bridge: 'docker0', mtu: 1450 } });
    expect(
      probePlace({ ...seen, networks: networksOf({ name: 'bridge', device: 'docker0', subnet: '172.7.21.0/24' }) }),
    ).toMatchObject({ value: { mtu: 1500 } });
    expect(
      probePlace({ ...seen, networks: unknown('docker is down'), containers: unknown('docker is down') }),
    ).toMatchObject({ value: { bridge: 'docker0', mtu: 1500 } });
  });

  it.each([
    ['its interfaces are not known', { links: unknown('ip is not there') }],
    ['it has no bridge of Docker', { links: linksOf({ name: 'eth0', address: '10.4.7.21/24' }) }],
    ['is down', { links: linksOf({ name: 'docker0', address: '172.7.21.1/24', kind: 'bridge', flags: [] }) }],
    ['no address is free', { links: linksOf({ name: 'docker0', address: '172.7.21.1/31', kind: 'bridge' }) }],
    [
      'has an MTU of 100',
      { networks: networksOf({ name: 'bridge', device: 'docker0', subnet: '172.7.21.0/24', mtu: '100' }) },
    ],
    [
      'a name that netctl does not take',
      { links: linksOf({ name: '$(reboot)', address: '172.7.21.1/24', kind: 'bridge' }) },
    ],
  ] as const)('is not known, with the reason: %s', (why, change: Partial<ProbeSeen>) => {
    const place = probePlace({ ...usual, ...change });
    expect(place.known ? '' : place.why).toContain(why);
  });
});
