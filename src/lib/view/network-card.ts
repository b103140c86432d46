import { backendOf } from '../net/backend';
import type { FlannelVersion } from '../net/flannel-version';
import { describeIpv6Network, describeNetwork, type EffectiveConfig } from '../net/network-config';
import { formatCount, plural } from './count';
import type { RecordLine } from './record';

/** What differs from flannel's defaults. */
function optionText({ type, options }: EffectiveConfig['backend']): string {
  const defaults = new Map(backendOf(type)?.options.map((option) => [option.name, option.default]));
  return Object.entries(options)
    .filter(([key, value]) => value !== null && value !== defaults.get(key))
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ');
}

/** What a network is, for people: ranges, sizes, MTU. Options must have passed `withoutSecrets`. */
export function networkLines(effective: EffectiveConfig, version: FlannelVersion): readonly RecordLine[] {
  const lines: RecordLine[] = [];
  const ipv4 = describeNetwork(effective, version);
  if (ipv4 !== null) {
    lines.push(
      ['network', ipv4.network],
      [
        'subnets',
        ipv4.subnetCount === 0
          ? { text: 'none: SubnetMin lies behind SubnetMax', tone: 'bad' }
          : `${plural(ipv4.subnetCount, 'subnet')} of /${ipv4.subnetLen}, ${ipv4.firstSubnet} to ${ipv4.lastSubnet}`,
      ],
      [
        'per node',
        `${plural(ipv4.addressesPerSubnet, 'address', 'addresses')}, room for ${plural(ipv4.containersPerNode, 'container')}`,
      ],
    );
  }
  const ipv6 = describeIpv6Network(effective);
  if (ipv6 !== null) {
    const count = ipv6.subnetCount > 1_000_000n ? 'over a million' : formatCount(Number(ipv6.subnetCount));
    lines.push(
      ['IPv6 network', ipv6.network],
      ['IPv6 subnets', `${count} of /${ipv6.subnetLen}, ${ipv6.firstSubnet} to ${ipv6.lastSubnet}`],
    );
  }
  const { backend } = effective;
  const options = optionText(backend);
  lines.push([
    'backend',
    backend.explicit
      ? `${backend.type}${options === '' ? '' : ` (${options})`}`
      : `${backend.type} (flanneld's default)`,
  ]);
  if (ipv4 !== null) lines.push(['MTU', `${ipv4.mtu} in containers, on an interface of ${ipv4.interfaceMtu}`]);
  if (effective.enableNFTables) lines.push(['firewall', 'nftables']);
  return lines;
}
