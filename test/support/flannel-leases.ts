import type { Etcd } from './etcd';

export const prefix = '/coreos.com/network';

/** What flanneld does when it takes a subnet: an etcd lease of 24 hours and the key under it (v2: a key with a TTL). */
export function leaseLikeFlanneld(
  etcd: Etcd,
  api: 'v2' | 'v3',
  subnet: string,
  value: string,
  options: { readonly ttlSeconds?: number; readonly prefix?: string } = {},
): string {
  const key = `${options.prefix ?? prefix}/subnets/${subnet.replace('/', '-')}`;
  const ttl = String(options.ttlSeconds ?? 86_400);
  if (api === 'v2') {
    etcd.ctl(['set', '--ttl', ttl, key, value], { api: 2 });
    return key;
  }
  const id = /lease (\S+) granted/.exec(etcd.ctl(['lease', 'grant', ttl]))?.[1] ?? '';
  etcd.ctl(['put', '--lease', id, key], { input: value });
  return key;
}

export function hostGw(publicIP: string): string {
  return JSON.stringify({ PublicIP: publicIP, PublicIPv6: null, BackendType: 'host-gw' });
}

export function vxlan(publicIP: string, mac: string): string {
  return JSON.stringify({
    PublicIP: publicIP,
    PublicIPv6: null,
    BackendType: 'vxlan',
    BackendData: { VNI: 1, VtepMAC: mac },
  });
}
