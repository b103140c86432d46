import { homedir } from 'node:os';
import { dirname, resolve } from 'node:path';
import { parseIpv4 } from '../net/ipv4';
import type { Inventory, InventoryNode, SshSection } from './inventory';
import type { InventoryFile } from './shape';
import type { Place } from './yaml-tree';

type NodeFile = NonNullable<InventoryFile['nodes']>[number];
type SshFile = NonNullable<InventoryFile['ssh']>;

/** The file's content with absolute paths, comma lists split and the ssh section worked into the nodes. */
export function toInventory(content: InventoryFile, file: string, places: ReadonlyMap<string, Place>): Inventory {
  const folder = dirname(resolve(file));
  const path = (text: string): string => localPath(text, folder);
  const etcd = content.etcd ?? {};
  const network = content.network ?? {};
  const flannel = content.flannel ?? {};
  const nodeEtcd = flannel.etcd ?? {};
  const ssh = withPaths(content.ssh ?? {}, path);
  const { backend, ...plainNetwork } = network;
  return {
    file: resolve(file),
    etcd: withPaths(withEndpoints(etcd), path),
    network: {
      ...plainNetwork,
      ...(backend === undefined ? {} : { backend: { type: backend.type, options: backend.options ?? {} } }),
      avoid: network.avoid ?? [],
    },
    flannel: {
      ...withPaths(flannel, path),
      ...(flannel.sha256 === undefined ? {} : { sha256: flannel.sha256.toLowerCase() }),
      etcd: withPaths(withEndpoints(nodeEtcd), path),
      options: flannel.options ?? {},
    },
    docker: content.docker ?? {},
    ssh: withoutJump(ssh),
    nodes: (content.nodes ?? []).map((node) => toNode(node, ssh, path)),
    lines: new Map(Array.from(places, ([key, place]) => [key, place.line])),
  };
}

function toNode(node: NodeFile, shared: SshSection, path: (text: string) => string): InventoryNode {
  const { ssh, labels, ...rest } = node;
  const address = node.address ?? node.name;
  const publicIP = node.publicIP ?? reachableIpv4(address);
  return {
    ...rest,
    address,
    ...(publicIP === undefined ? {} : { publicIP }),
    ssh: withoutJump({ ...shared, ...withPaths(ssh ?? {}, path) }),
    labels: labels ?? [],
  };
}

/** An address that another machine could send to; the first address of a Vagrant box or a loopback is none. */
function reachableIpv4(address: string): string | undefined {
  const number = parseIpv4(address);
  return number === undefined || number >>> 24 === 127 || number === 0 ? undefined : address;
}

function withoutJump(ssh: SshSection): SshSection {
  if (ssh.jump !== 'none') return ssh;
  const { jump: _jump, ...rest } = ssh;
  return rest;
}

function withEndpoints<S extends { readonly endpoints?: string | string[] }>(
  section: S,
): Omit<S, 'endpoints'> & { readonly endpoints?: readonly string[] } {
  const { endpoints, ...rest } = section;
  if (endpoints === undefined) return rest;
  return {
    ...rest,
    endpoints: typeof endpoints === 'string' ? endpoints.split(',').map((text) => text.trim()) : endpoints,
  };
}

type WithPaths = Partial<
  Record<'ca' | 'cert' | 'key' | 'passwordFile' | 'archive' | 'identityFile' | 'knownHosts', string>
>;

const pathKeys = ['ca', 'cert', 'key', 'passwordFile', 'archive', 'identityFile', 'knownHosts'] as const;

function withPaths<S extends WithPaths | SshFile>(section: S, path: (text: string) => string): S {
  const copy: S & WithPaths = { ...section };
  for (const key of pathKeys) {
    const text = copy[key];
    if (text !== undefined) Object.assign(copy, { [key]: path(text) });
  }
  return copy;
}

/** Relative to the folder of the inventory, so that it means the same from wherever netctl is called. */
function localPath(text: string, folder: string): string {
  if (text === '~' || text.startsWith('~/')) return resolve(homedir(), text.slice(2));
  return resolve(folder, text);
}
