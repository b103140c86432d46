import { distance } from 'fastest-levenshtein';
import { keyReference } from './key-reference';

const plain = (key: string): string => key.toLowerCase().replaceAll(/[-_ ]/g, '');

/** Words of other tools, by the path pattern of the key that is meant. */
const otherWords: Readonly<Record<string, string>> = {
  network: 'network.cidr',
  subnetlength: 'network.subnetLen',
  ipv6network: 'network.ipv6Cidr',
  cacert: 'etcd.ca',
  cafile: 'etcd.ca',
  etcdcafile: 'etcd.ca',
  certfile: 'etcd.cert',
  etcdcertfile: 'etcd.cert',
  keyfile: 'etcd.key',
  etcdkeyfile: 'etcd.key',
  endpoint: 'etcd.endpoints',
  etcdendpoints: 'etcd.endpoints',
  etcdprefix: 'etcd.prefix',
  username: 'etcd.user',
  timeout: 'etcd.timeoutSeconds',
  host: 'nodes[].address',
  hostname: 'nodes[].address',
  ip: 'nodes[].address',
  addr: 'nodes[].address',
  interface: 'nodes[].iface',
  externalip: 'nodes[].publicIP',
  tags: 'nodes[].labels',
  groups: 'nodes[].labels',
  privatekey: 'ssh.identityFile',
  identity: 'ssh.identityFile',
  proxyjump: 'ssh.jump',
  bastion: 'ssh.jump',
  become: 'ssh.sudo',
  hostkeychecking: 'ssh.hostKey',
  directrouting: 'network.backend.options.DirectRouting',
  vni: 'network.backend.options.VNI',
  install: 'flannel.installDir',
  dir: 'flannel.installDir',
  prefix: 'etcd.prefix',
  healthz: 'flannel.healthzPort',
  servicemanager: 'flannel.service',
};

/**
 * What was meant by a key that is not known, as words that follow "try".
 * @param parent path pattern of the map that holds it: `''`, `etcd`, `nodes[]`, `nodes[].ssh`
 */
export function suggestKey(parent: string, key: string): string | null {
  const paths = keyReference.map((entry) => entry.path);
  const siblings = paths.filter((path) => parentOf(path) === parent).map(lastOf);
  const wanted = plain(key);
  const same = siblings.find((name) => plain(name) === wanted);
  if (same !== undefined) return `${same}:`;
  const meant = otherWords[wanted];
  if (meant !== undefined && parentOf(meant) === parent) return `${lastOf(meant)}:`;
  const near = siblings
    .map((name) => ({ name, edits: distance(plain(name), wanted) }))
    .sort((a, b) => a.edits - b.edits)[0];
  if (wanted.length <= 64 && near !== undefined && near.edits <= Math.max(1, Math.floor(wanted.length / 3))) {
    return `${near.name}:`;
  }
  const homes = paths.filter((path) => path !== parent && plain(lastOf(path)) === wanted);
  // What a node says goes into its own ssh before it goes anywhere else.
  const elsewhere = homes.find((path) => path.startsWith(`${parent}.`)) ?? meant ?? homes[0];
  if (elsewhere !== undefined) return `it as ${elsewhere}`;
  return siblings.length === 0 ? null : `one of ${siblings.join(', ')}`;
}

function parentOf(path: string): string {
  const dot = path.lastIndexOf('.');
  return dot < 0 ? '' : path.slice(0, dot);
}

function lastOf(path: string): string {
  return path.slice(path.lastIndexOf('.') + 1);
}
