import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cidrOf } from '../../src/lib/net/cidr';
import type { SubnetEnv } from '../../src/lib/net/subnet-env';
import { formatSubnetEnv, parseSubnetEnv } from '../../src/lib/net/subnet-env';

const fourth = 'FLANNEL_NETWORK=10.0.0.0/16\nFLANNEL_SUBNET=10.0.65.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n';

const codes = (text: string) => parseSubnetEnv(text).problems.map(({ code, path }) => `${code} ${path}`.trim());

describe('subnet.env', () => {
  it('is read as flanneld writes it, and written back to the byte', () => {
    const { env, problems, variables } = parseSubnetEnv(fourth);
    expect(problems).toEqual([]);
    expect(env).toEqual({
      networks: [{ base: 0x0a000000, length: 16 }],
      subnet: { address: 0x0a004101, length: 24 },
      ipv6Network: null,
      ipv6Subnet: null,
      mtu: 1450,
      ipMasq: true,
    });
    expect(variables.get('FLANNEL_SUBNET')).toBe('10.0.65.1/24');
    expect(formatSubnetEnv(env)).toBe(fourth);
  });

  it('is read as a shell reads it: quotes, comments, export, the last assignment', () => {
    const text =
      'FLANNEL_MTU=1\nexport FLANNEL_MTU="1450" # note\nFLANNEL_SUBNET=\'10.0.65.1/24\'; FLANNEL_IPMASQ=false';
    expect(parseSubnetEnv(text).env).toMatchObject({ mtu: 1450, ipMasq: false, networks: [] });
    expect(codes(text)).toEqual([]);
  });

  it('may have both families, and several networks (Kubernetes)', () => {
    const text =
      'FLANNEL_NETWORK=10.1.0.0/16,10.2.0.0/16\nFLANNEL_SUBNET=10.2.3.1/24\nFLANNEL_IPV6_NETWORK=fd00::/48\nFLANNEL_IPV6_SUBNET=fd00:0:0:1::1/64\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n';
    expect(codes(text)).toEqual([]);
    expect(formatSubnetEnv(parseSubnetEnv(text).env)).toBe(text);
  });

  it.each([
    ['', ['subnet-env-no-subnet FLANNEL_SUBNET', 'subnet-env-no-mtu FLANNEL_MTU']],
    ['FLANNEL_SUBNET=10.1.2.3\nFLANNEL_MTU=1450\n', ['subnet-env-bad-value FLANNEL_SUBNET']],
    ['FLANNEL_SUBNET=10.1.2.1/24\nFLANNEL_MTU=65536\n', ['subnet-env-bad-value FLANNEL_MTU']],
    ['FLANNEL_SUBNET=10.1.2.1/24\r\nFLANNEL_MTU=1450', ['subnet-env-bad-value FLANNEL_SUBNET']],
    ['FLANNEL_SUBNET=10.1.2.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=yes', ['subnet-env-bad-value FLANNEL_IPMASQ']],
    [
      'FLANNEL_NETWORK=10.9.0.0/16\nFLANNEL_SUBNET=10.1.2.1/24\nFLANNEL_MTU=1450',
      ['subnet-env-outside FLANNEL_SUBNET'],
    ],
    ['FLANNEL_SUBNET=10.1.2.1/24\nFLANNEL_MTU=1450\nreboot', ['subnet-env-not-plain']],
    ['FLANNEL_SUBNET=10.1.2.1/24\nFLANNEL_MTU=$(reboot)', ['subnet-env-not-plain', 'subnet-env-no-mtu FLANNEL_MTU']],
  ])('is judged: %j', (text, expected) => {
    expect(codes(text)).toEqual(expected);
  });

  it('needs no IPv4 subnet when it has an IPv6 one', () => {
    expect(codes('FLANNEL_IPV6_SUBNET=fd00::1/64\nFLANNEL_MTU=1400\n')).toEqual([]);
  });

  it('survives any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        parseSubnetEnv(text);
        parseSubnetEnv(`FLANNEL_SUBNET=${text}`);
      }),
    );
  });

  it('means the same after it is written and read', () => {
    const bits = fc.integer({ min: 0, max: 0xffffffff });
    const env = fc.tuple(bits, fc.integer({ min: 0, max: 30 }), fc.integer({ min: 68, max: 65_535 }), fc.boolean()).map(
      ([address, length, mtu, ipMasq]): SubnetEnv => ({
        networks: [cidrOf(address, length)],
        subnet: { address, length },
        ipv6Network: null,
        ipv6Subnet: null,
        mtu,
        ipMasq,
      }),
    );
    fc.assert(
      fc.property(env, (value) => {
        expect(parseSubnetEnv(formatSubnetEnv(value))).toMatchObject({ env: value, problems: [] });
      }),
    );
  });
});
