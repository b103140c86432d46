import { createHash } from 'node:crypto';
import { z } from 'zod';
import { addressIn, type Block, contains, overlaps, parseBlock } from './ipv4';
import { LabError } from './lab-error';

/** TEST-NET-2 (RFC 5737): nothing outside the lab has this address. */
export const internetAddress = '198.51.100.1';

export interface HostOptions {
  /** node1, node2, … unless told. Lower-case letters and digits, at most ten. */
  readonly name?: string;
  /** An address of the segment's network; the 21st and on unless told. */
  readonly address?: string;
  /** Which L2 segment its cable goes to, from 1. */
  readonly segment?: number;
  /** `running` unless told; `stopped`: installed and not enabled; `absent`: the programs are not there. */
  readonly docker?: 'running' | 'stopped' | 'absent';
  /** What `iptables` means on it. Debian's choice, `nft`, unless told. */
  readonly iptables?: 'nft' | 'legacy';
  readonly supervisor?: boolean;
  /** The RHEL family's /etc/sysconfig exists. */
  readonly rhelPaths?: boolean;
  /** As with Vagrant: eth0 is a NAT of its own with the same address 10.0.2.15 everywhere, eth1 the LAN. */
  readonly nat?: boolean;
}

export interface SegmentOptions {
  readonly network: string;
  /** The 254th address unless told. */
  readonly gateway?: string;
}

export interface EtcdOptions {
  /** Where the members are: `lan` (a machine of its own at the segment's 12th address) or a host's name. */
  readonly members?: readonly string[];
  readonly tls?: boolean;
  /** Starts with `--enable-v2`, for flannel's etcd v2 store. */
  readonly v2?: boolean;
}

export interface LabOptions extends Omit<HostOptions, 'name' | 'address' | 'segment'> {
  /** Up to ten lower-case letters and digits; a random one unless told. */
  readonly id?: string;
  /** How many, or which; what a host does not say is taken from the lab's options. Three unless told. */
  readonly hosts?: number | readonly HostOptions[];
  /** How many L2 segments, or their networks. One unless told: 10.4.7.0/24, or the next that is free. */
  readonly segments?: number | readonly SegmentOptions[];
  /** A host `jump` at the 5th address of each segment; from the workstation it alone reaches the second. */
  readonly jump?: boolean;
  /** `true` is one member at `lan`, with TLS, without v2. */
  readonly etcd?: boolean | EtcdOptions;
  /** Of every cable, in bytes. 1500 unless told. */
  readonly mtuBytes?: number;
  /**
   * Where the administrator sits: on this `machine` (unless told), over a veth; or in a `namespace` of the lab's own, so
   * that several labs may use the same addresses. Tests that name addresses choose the namespace.
   */
  readonly workstation?: 'machine' | 'namespace';
  /** The lab is removed when this process is gone; the one that starts it unless told, none with `null`. */
  readonly ownerPid?: number | null;
}

const hostSchema = z.object({
  name: z.string(),
  address: z.string(),
  segment: z.number(),
  nics: z.array(
    z.object({
      device: z.string(),
      segment: z.number(),
      address: z.string(),
      prefix: z.number(),
      mac: z.string(),
    }),
  ),
  docker: z.enum(['running', 'stopped', 'absent']),
  iptables: z.enum(['nft', 'legacy']),
  supervisor: z.boolean(),
  rhelPaths: z.boolean(),
  nat: z.boolean(),
  jump: z.boolean(),
});

/** A lab with nothing left to choose. It stands in `lab.json`, from which everything else follows. */
export const shapeSchema = z.object({
  id: z.string(),
  folder: z.string(),
  createdAt: z.string(),
  owner: z.object({ pid: z.number(), startTicks: z.string() }).nullable(),
  base: z.object({ root: z.string(), busybox: z.string(), www: z.string() }),
  segments: z.array(
    z.object({ network: z.string(), prefix: z.number(), gateway: z.string(), workstation: z.string().nullable() }),
  ),
  mtuBytes: z.number(),
  workstation: z.enum(['machine', 'namespace']),
  jump: z.boolean(),
  hosts: z.array(hostSchema),
  etcd: z
    .object({
      tls: z.boolean(),
      v2: z.boolean(),
      members: z.array(z.object({ name: z.string(), place: z.string(), address: z.string() })),
    })
    .nullable(),
});

export type Shape = Readonly<z.infer<typeof shapeSchema>>;
export type HostShape = Shape['hosts'][number];
export type EtcdShape = NonNullable<Shape['etcd']>;

type Segment = Shape['segments'][number] & { readonly block: Block };

/** Fills in what the options leave open. `taken` are the networks that this machine reaches already. */
export function shapeOf(
  options: LabOptions,
  place: Pick<Shape, 'id' | 'folder' | 'owner' | 'base'>,
  taken: readonly string[],
): Shape {
  if (!/^[a-z0-9]{1,10}$/.test(place.id))
    throw new LabError(`${place.id}: a lab's id is one to ten lower-case letters and digits`);
  const workstation = options.workstation ?? 'machine';
  const jump = options.jump ?? false;
  const networks = chooseNetworks(options.segments ?? (jump ? 2 : 1), workstation === 'machine' ? taken : []);
  const segments: readonly Segment[] = networks.map(({ network, gateway }, index) => {
    const block = parseBlock(network);
    return {
      network,
      block,
      prefix: block.prefix,
      gateway: gateway ?? addressIn(block, 254),
      workstation: index === 0 ? addressIn(block, 200) : null,
    };
  });

  const wanted =
    typeof options.hosts === 'object' ? options.hosts : new Array<HostOptions>(options.hosts ?? 3).fill({});
  const hosts: HostShape[] = wanted.map((host, index) => {
    const name = host.name ?? `node${index + 1}`;
    const segment = host.segment ?? (jump ? 2 : 1);
    const place_ = segmentAt(segments, segment, name);
    const address = host.address ?? addressIn(place_.block, 21 + index);
    if (!contains(place_.block, address))
      throw new LabError(`${name}: ${address} is not in its segment's network ${place_.network}`);
    const nat = host.nat ?? options.nat ?? false;
    return {
      name,
      address,
      segment,
      nics: [nic(place.id, name, nat ? 'eth1' : 'eth0', segment, address, place_.prefix)],
      docker: host.docker ?? options.docker ?? 'running',
      iptables: host.iptables ?? options.iptables ?? 'nft',
      supervisor: host.supervisor ?? options.supervisor ?? false,
      rhelPaths: host.rhelPaths ?? options.rhelPaths ?? false,
      nat,
      jump: false,
    };
  });
  if (jump) {
    const nics = segments.map(({ block, prefix }, index) =>
      nic(place.id, 'jump', `eth${index}`, index + 1, addressIn(block, 5), prefix),
    );
    const address = addressIn(segmentAt(segments, 1, 'jump').block, 5);
    const rest = { docker: 'absent', iptables: 'nft', supervisor: false, rhelPaths: false, nat: false } as const;
    hosts.push({ name: 'jump', address, segment: 1, nics, jump: true, ...rest });
  }
  checkNames(hosts);

  return {
    ...place,
    createdAt: new Date().toISOString(),
    segments: segments.map(({ network, prefix, gateway, workstation: own }) => ({
      network,
      prefix,
      gateway,
      workstation: own,
    })),
    mtuBytes: options.mtuBytes ?? 1500,
    workstation,
    jump,
    hosts,
    etcd: etcdShape(options.etcd ?? false, hosts, segmentAt(segments, 1, 'etcd')),
  };
}

function segmentAt(segments: readonly Segment[], number: number, who: string): Segment {
  const segment = segments[number - 1];
  if (segment === undefined)
    throw new LabError(`${who}: there is no segment ${number}, the lab has ${segments.length}`);
  return segment;
}

function checkNames(hosts: readonly HostShape[]): void {
  const names = new Set<string>();
  for (const { name } of hosts) {
    if (!/^[a-z][a-z0-9]{0,9}$/.test(name) || name === 'lan' || name === 'ws') {
      throw new LabError(
        `${name}: a host's name is a lower-case letter and up to nine letters or digits, and not "lan" or "ws"`,
      );
    }
    if (names.has(name)) throw new LabError(`${name}: two hosts have this name`);
    names.add(name);
  }
}

/** The same card after every boot, so that the neighbours' ARP tables stay right. */
function nic(id: string, host: string, device: string, segment: number, address: string, prefix: number) {
  const hash = createHash('sha256').update(`${id} ${host} ${segment}`).digest('hex');
  const mac = ['02', ...(hash.slice(0, 10).match(/../g) ?? [])].join(':');
  return { device, segment, address, prefix, mac };
}

function etcdShape(wish: boolean | EtcdOptions, hosts: readonly HostShape[], segment: Segment): Shape['etcd'] {
  if (wish === false) return null;
  const options = wish === true ? {} : wish;
  const members = (options.members ?? ['lan']).map((place) => {
    const address = place === 'lan' ? addressIn(segment.block, 12) : hosts.find((host) => host.name === place)?.address;
    if (address === undefined)
      throw new LabError(`${place}: no such host for an etcd member; say "lan" or a host's name`);
    return { name: `etcd-${place}`, place, address };
  });
  return { tls: options.tls ?? true, v2: options.v2 ?? false, members };
}

function chooseNetworks(wish: number | readonly SegmentOptions[], taken: readonly string[]): readonly SegmentOptions[] {
  const takenBlocks = taken.map((network) => ({ network, block: parseBlock(network) }));
  const inTheWay = (network: string) => takenBlocks.find(({ block }) => overlaps(block, parseBlock(network)))?.network;
  if (typeof wish === 'object') {
    for (const { network } of wish) {
      const other = inTheWay(network);
      if (other !== undefined) {
        throw new LabError(
          `${network}: this machine reaches ${other} already; choose another network, or workstation: 'namespace' (lab up --workstation namespace)`,
        );
      }
    }
    return wish;
  }
  // The seeds' own network first, so that a lab started by hand looks like the articles.
  for (let third = 7; third + wish <= 255; third += wish) {
    const candidates = Array.from({ length: wish }, (_, index) => ({ network: `10.4.${third + index}.0/24` }));
    if (candidates.every(({ network }) => inTheWay(network) === undefined)) return candidates;
  }
  throw new LabError('no network of 10.4.0.0/16 is free on this machine: remove labs with test/lab/lab down --all');
}
