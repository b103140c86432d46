import type { Ipv4Cidr } from './cidr';
import { formatCidr, parseIpv4Cidr } from './cidr';
import { formatIpv4 } from './ipv4';
import type { Ipv6Cidr } from './ipv6';
import { formatIpv6, formatIpv6Cidr, parseIpv6Cidr } from './ipv6';
import type { Problem } from './problem';
import { readShellAssignments } from './shell-assignments';

/** A bridge address within its subnet: what stands in FLANNEL_SUBNET, such as 10.1.74.1/24. */
export interface BridgeAddress {
  readonly address: number;
  readonly length: number;
}

export interface Ipv6BridgeAddress {
  readonly address: bigint;
  readonly length: number;
}

/** What flanneld tells Docker: the file of `--subnet-file`, /run/flannel/subnet.env unless told. */
export interface SubnetEnv {
  /** FLANNEL_NETWORK; several only with Kubernetes and v0.21.0 to v0.24.4. */
  readonly networks: readonly Ipv4Cidr[];
  /** FLANNEL_SUBNET: the first address of the lease. Null when IPv4 is off. */
  readonly subnet: BridgeAddress | null;
  readonly ipv6Network: Ipv6Cidr | null;
  readonly ipv6Subnet: Ipv6BridgeAddress | null;
  /** FLANNEL_MTU in bytes. */
  readonly mtu: number | null;
  /** FLANNEL_IPMASQ: does flanneld masquerade? Docker then must not. */
  readonly ipMasq: boolean | null;
}

export interface SubnetEnvReading {
  /** What could be read; a value that is wrong is null, and a problem says so. */
  readonly env: SubnetEnv;
  /** Every variable that the file sets, as a shell would. */
  readonly variables: ReadonlyMap<string, string>;
  readonly problems: readonly Problem[];
}

/** Docker refuses a bridge whose MTU IPv4 cannot use; the kernel takes no more than 65535. */
const leastMtu = 68;
const greatestMtu = 65_535;

/**
 * Reads subnet.env as `/bin/sh` does (mk-docker-opts.sh, start scripts): quotes and comments are taken, the last assignment counts.
 * Never throws: what is wrong comes as problems, `subnet-env-…`.
 */
export function parseSubnetEnv(text: string): SubnetEnvReading {
  const problems: Problem[] = [];
  const add = (code: string, severity: Problem['severity'], path: string, message: string, suggestion: string | null) =>
    problems.push({ code, severity, path, message, suggestion });
  const reading = readShellAssignments(text);
  if (!reading.ok) {
    add(
      'subnet-env-not-plain',
      'error',
      '',
      `line ${reading.line} of subnet.env has ${reading.what}; flanneld writes plain NAME=value lines`,
      'Restart flanneld: it writes the file anew.',
    );
  }
  const variables = new Map(reading.assignments.map(({ name, value }) => [name, value]));
  const value = <T>(name: string, parse: (text: string) => T | null, rule: string): T | null => {
    const found = variables.get(name);
    if (found === undefined || found === '') return null;
    const parsed = parse(found);
    if (parsed === null) {
      add(
        'subnet-env-bad-value',
        'error',
        name,
        `${name}=${JSON.stringify(found.slice(0, 200))} in subnet.env is not ${rule}`,
        'Restart flanneld: it writes the file anew.',
      );
    }
    return parsed;
  };

  const env: SubnetEnv = {
    networks: value('FLANNEL_NETWORK', networksOf, 'a range such as 10.1.0.0/16') ?? [],
    subnet: value('FLANNEL_SUBNET', bridgeAddressOf, 'a bridge address such as 10.1.74.1/24'),
    ipv6Network: value('FLANNEL_IPV6_NETWORK', ipv6Of, 'an IPv6 range such as fd00::/48'),
    ipv6Subnet: value('FLANNEL_IPV6_SUBNET', ipv6Of, 'an IPv6 bridge address such as fd00::1/64'),
    mtu: value('FLANNEL_MTU', mtuOf, `a number of bytes, ${leastMtu} to ${greatestMtu}`),
    ipMasq: value('FLANNEL_IPMASQ', booleanOf, 'true or false'),
  };
  if (env.subnet === null && env.ipv6Subnet === null && !problems.some(({ path }) => path === 'FLANNEL_SUBNET')) {
    add(
      'subnet-env-no-subnet',
      'error',
      'FLANNEL_SUBNET',
      'subnet.env names no subnet (FLANNEL_SUBNET)',
      'Look whether flanneld has a lease: netctl subnets ls',
    );
  }
  if (env.mtu === null && !problems.some(({ path }) => path === 'FLANNEL_MTU')) {
    add(
      'subnet-env-no-mtu',
      'warning',
      'FLANNEL_MTU',
      'subnet.env names no MTU (FLANNEL_MTU); Docker would take 1500',
      null,
    );
  }
  const { subnet } = env;
  if (subnet !== null && env.networks.length > 0 && !env.networks.some((network) => holds(network, subnet))) {
    add(
      'subnet-env-outside',
      'warning',
      'FLANNEL_SUBNET',
      `FLANNEL_SUBNET=${formatBridge(subnet)} is not within FLANNEL_NETWORK=${env.networks.map(formatCidr).join(',')}`,
      'Restart flanneld when the network was changed: it reads the config at its start only.',
    );
  }
  return { env, variables, problems };
}

/** The bytes that flanneld writes: order and form of spec 4.4, LF at each line's end. */
export function formatSubnetEnv(env: SubnetEnv): string {
  const lines: string[] = [];
  if (env.networks.length > 0) lines.push(`FLANNEL_NETWORK=${env.networks.map(formatCidr).join(',')}`);
  if (env.subnet !== null) lines.push(`FLANNEL_SUBNET=${formatBridge(env.subnet)}`);
  if (env.ipv6Network !== null) lines.push(`FLANNEL_IPV6_NETWORK=${formatIpv6Cidr(env.ipv6Network)}`);
  if (env.ipv6Subnet !== null) {
    lines.push(`FLANNEL_IPV6_SUBNET=${formatIpv6(env.ipv6Subnet.address)}/${env.ipv6Subnet.length}`);
  }
  if (env.mtu !== null) lines.push(`FLANNEL_MTU=${env.mtu}`);
  if (env.ipMasq !== null) lines.push(`FLANNEL_IPMASQ=${env.ipMasq}`);
  return lines.map((line) => `${line}\n`).join('');
}

/** `10.1.74.1/24` */
export function formatBridge({ address, length }: BridgeAddress): string {
  return `${formatIpv4(address)}/${length}`;
}

function holds(network: Ipv4Cidr, { address, length }: BridgeAddress): boolean {
  const size = 2 ** (32 - network.length);
  return length >= network.length && address >= network.base && address < network.base + size;
}

function networksOf(text: string): readonly Ipv4Cidr[] | null {
  const networks: Ipv4Cidr[] = [];
  for (const part of text.split(',')) {
    const cidr = parseIpv4Cidr(part);
    if (cidr === undefined) return null;
    networks.push({ base: cidr.base, length: cidr.length });
  }
  return networks;
}

function bridgeAddressOf(text: string): BridgeAddress | null {
  const cidr = parseIpv4Cidr(text);
  return cidr === undefined ? null : { address: cidr.address, length: cidr.length };
}

function ipv6Of(text: string): (Ipv6Cidr & Ipv6BridgeAddress) | null {
  const cidr = parseIpv6Cidr(text);
  return cidr === undefined ? null : { base: cidr.base, length: cidr.length, address: cidr.address };
}

function mtuOf(text: string): number | null {
  if (!/^\d{1,5}$/.test(text)) return null;
  const mtu = Number(text);
  return mtu >= leastMtu && mtu <= greatestMtu ? mtu : null;
}

function booleanOf(text: string): boolean | null {
  return text === 'true' ? true : text === 'false' ? false : null;
}
