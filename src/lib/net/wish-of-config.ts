import { backendOf } from './backend';
import type { FlannelVersion } from './flannel-version';
import { foldKey, plainValue } from './go-json';
import { examineConfig, type NetworkWish } from './network-config';

/**
 * The wish behind a config text that flanneld accepts: what the text itself says, without the defaults, so that it can be
 * written again in exact case. Keys that flanneld ignores are not in it. Null when flanneld would not take the text.
 */
export function wishOfConfig(text: Uint8Array | string, version: FlannelVersion): NetworkWish | null {
  const { verdict, members, json } = examineConfig(text, version);
  const { effective } = verdict;
  if (effective === null || !json.ok) return null;
  const said = (key: string): boolean => {
    const member = members.get(key);
    return member !== undefined && member.value.kind !== 'null';
  };
  const take = <Name extends string, Value>(name: Name, key: string, value: Value | null) =>
    said(key) && value !== null ? ({ [name]: value } as { readonly [N in Name]: Value }) : {};

  const options: Record<string, string | number | boolean> = {};
  const backend = members.get('Backend')?.value;
  const known = backendOf(effective.backend.type)?.options ?? [];
  if (backend?.kind === 'object') {
    // In the order of the text, so that of two spellings the last one counts, as it does for flanneld.
    for (const member of backend.members) {
      const option = known.find(({ name }) => foldKey(name) === foldKey(member.key));
      if (option === undefined || member.value.kind === 'null') continue;
      const value = plainValue(json, member.value);
      if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
        options[option.name] = value;
      else if (Array.isArray(value)) options[option.name] = value.join(',');
    }
  }
  return {
    ...take('network', 'Network', effective.network),
    ...take('subnetLen', 'SubnetLen', effective.subnetLen),
    ...take('subnetMin', 'SubnetMin', effective.subnetMin),
    ...take('subnetMax', 'SubnetMax', effective.subnetMax),
    ...(effective.enableIPv4 ? {} : { enableIPv4: false }),
    ...(effective.enableIPv6
      ? {
          ...take('ipv6Network', 'IPv6Network', effective.ipv6Network),
          ...take('ipv6SubnetLen', 'IPv6SubnetLen', effective.ipv6SubnetLen),
          ...take('ipv6SubnetMin', 'IPv6SubnetMin', effective.ipv6SubnetMin),
          ...take('ipv6SubnetMax', 'IPv6SubnetMax', effective.ipv6SubnetMax),
        }
      : {}),
    ...(effective.enableNFTables ? { enableNFTables: true } : {}),
    backend: { type: effective.backend.type, options },
  };
}
