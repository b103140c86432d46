import type { NodeState } from '../check/node-state';
import type { Known } from '../fact/fact';
import type { Problem } from '../net/problem';
import { formatBridge } from '../net/subnet-env';
import { formatDuration } from './duration';
import type { Cell, ListView } from './list';
import type { Tone } from './style';

/** A node in the words of `node status`: plain data, printed as it is in JSON. Null is what is not known or not there; `unknown` says which. */
export interface NodeStatusItem {
  readonly name: string;
  readonly address: string;
  readonly publicIP: string | null;
  readonly state: 'healthy' | 'problems' | 'unreachable';
  /** The release of flanneld. */
  readonly version: string | null;
  /** In the manager's word, `active`, `RUNNING`, `failed`; `by-hand` and `absent` are ours. */
  readonly service: string | null;
  readonly serviceManager: 'systemd' | 'supervisord' | null;
  /** The lease that the node holds in etcd. */
  readonly subnet: string | null;
  /** Null without a lease and for one that does not expire. */
  readonly expiresInSeconds: number | null;
  readonly subnetEnv: { readonly subnet: string | null; readonly mtu: number | null } | null;
  /** Addresses of Docker's bridge. */
  readonly dockerBridge: readonly string[] | null;
  /** What new containers get, in bytes. */
  readonly mtu: number | null;
  /** Other nodes that hold a lease of this backend. */
  readonly peers: number;
  /** To how many of them the node has the right route, and how many answered a ping over the overlay. */
  readonly peersRouted: number | null;
  readonly peersReached: number | null;
  readonly problems: readonly Problem[];
  /** What could not be found out, and why. */
  readonly unknown: readonly { readonly what: string; readonly why: string }[];
  /** Why the node could not be asked. */
  readonly error: { readonly code: string; readonly message: string } | null;
}

interface NodeNames {
  readonly name: string;
  readonly address: string;
  readonly publicIP?: string;
}

/** A node that was looked at. */
export function nodeStatusItem(node: NodeNames, state: NodeState): NodeStatusItem {
  const unknown: { readonly what: string; readonly why: string }[] = [];
  const told = <T>(what: string, fact: Known<T>): T | null => {
    if (fact.known) return fact.value;
    unknown.push({ what, why: fact.why });
    return null;
  };
  const count = (what: string, facts: readonly Known<boolean>[]): number | null => {
    const why = facts.flatMap((fact) => (fact.known ? [] : [fact.why]));
    if (why[0] !== undefined)
      unknown.push({
        what: why.length === facts.length ? what : `${what}: ${why.length} of ${facts.length}`,
        why: why[0],
      });
    if (facts.length > 0 && why.length === facts.length) return null;
    return facts.filter((fact) => fact.known && fact.value).length;
  };
  const service = told('service', state.service);
  const env = told('subnet.env', state.subnetEnv)?.env ?? null;
  return {
    name: node.name,
    address: node.address,
    publicIP: state.publicIP,
    state: state.problems.some(({ severity }) => severity !== 'info') ? 'problems' : 'healthy',
    version: told('version', state.version),
    service: service?.state ?? null,
    serviceManager: service?.manager ?? null,
    subnet: state.lease?.subnetText ?? null,
    expiresInSeconds: state.leaseSeconds,
    subnetEnv: env === null ? null : { subnet: env.subnet === null ? null : formatBridge(env.subnet), mtu: env.mtu },
    dockerBridge: told("Docker's bridge", state.docker0),
    mtu: told('MTU', state.mtu),
    peers: state.peers.length,
    peersRouted: count(
      'routes to peers',
      state.peers.map(({ isRouted }) => isRouted),
    ),
    peersReached: count(
      'pings to peers',
      state.peers.map(({ isReached }) => isReached),
    ),
    problems: state.problems,
    unknown,
    error: null,
  };
}

/** A node that could not be asked; what etcd says of it is known all the same. */
export function unreachableItem(
  node: NodeNames,
  lease: { readonly subnet: string; readonly expiresInSeconds: number | null } | null,
  error: { readonly code: string; readonly message: string },
): NodeStatusItem {
  return {
    name: node.name,
    address: node.address,
    publicIP: node.publicIP ?? null,
    state: 'unreachable',
    version: null,
    service: null,
    serviceManager: null,
    subnet: lease?.subnet ?? null,
    expiresInSeconds: lease?.expiresInSeconds ?? null,
    subnetEnv: null,
    dockerBridge: null,
    mtu: null,
    peers: 0,
    peersRouted: null,
    peersReached: null,
    problems: [],
    unknown: [],
    error: { code: error.code, message: error.message },
  };
}

/** Unknown is shown as such: `-` would say that there is nothing. */
const notKnown: Cell = { text: '?', tone: 'warn' };

function told(row: NodeStatusItem, what: string, value: string | number | null, nothing = '-'): Cell | string {
  if (value !== null) return String(value);
  return row.state === 'unreachable' || row.unknown.some((each) => each.what === what) ? notKnown : nothing;
}

const marks: Readonly<Record<string, readonly string[]>> = {
  service: ['flanneld-not-running', 'flanneld-absent', 'flanneld-without-service', 'flanneld-not-enabled'],
  version: ['flannel-other-release', 'flanneld-replaced'],
  lease: ['node-without-lease', 'lease-under-other-ip', 'subnet-env-not-lease', 'renewal-overdue', 'node-other-subnet'],
  bridge: ['docker-bridge-missing', 'docker-bridge-address', 'docker-down'],
  mtu: ['mtu-larger-than-overlay', 'mtu-smaller-than-overlay'],
};

function marked(row: NodeStatusItem, column: string, value: Cell | string): Cell | string {
  const codes = marks[column] ?? [];
  const tone: Tone | undefined = row.problems.some(({ code }) => codes.includes(code)) ? 'bad' : undefined;
  return tone === undefined || typeof value === 'object' ? value : { text: value, tone };
}

function service(row: NodeStatusItem): Cell | string {
  const cell = told(row, 'service', row.service);
  if (typeof cell === 'object') return cell;
  return row.service === 'active' || row.service === 'RUNNING'
    ? marked(row, 'service', cell)
    : { text: cell, tone: 'bad' };
}

function peers(row: NodeStatusItem, count: number | null): Cell | string {
  if (row.state === 'unreachable') return notKnown;
  if (row.peers === 0) return '-';
  if (count === null) return { text: `?/${row.peers}`, tone: 'warn' };
  return { text: `${count}/${row.peers}`, tone: count === row.peers ? 'good' : 'bad' };
}

function problems(row: NodeStatusItem): Cell | string | null {
  if (row.state === 'unreachable') return { text: row.error?.code ?? 'unreachable', tone: 'bad' };
  const codes = row.problems.flatMap(({ code, severity }) => (severity === 'info' ? [] : [code]));
  return codes.length === 0 ? null : { text: [...new Set(codes)].join(','), tone: 'bad' };
}

export const nodeStatusListView: ListView<NodeStatusItem> = {
  kind: 'NodeStatusList',
  name: ({ name }) => name,
  empty: 'No nodes.',
  columns: [
    { header: 'NODE', cell: ({ name }) => name },
    {
      header: 'VERSION',
      cell: (row) => marked(row, 'version', told(row, 'version', row.version)),
      csv: ({ version }) => version,
      drop: 3,
    },
    { header: 'SERVICE', cell: service, csv: (row) => row.service },
    { header: 'MANAGER', cell: ({ serviceManager }) => serviceManager, wideOnly: true },
    // etcd tells of the lease of a node that is off as well.
    { header: 'LEASE', cell: (row) => marked(row, 'lease', row.subnet ?? '-'), csv: ({ subnet }) => subnet },
    {
      header: 'EXPIRES IN',
      cell: ({ expiresInSeconds }) => (expiresInSeconds === null ? null : formatDuration(expiresInSeconds)),
      csv: ({ expiresInSeconds }) => expiresInSeconds,
      align: 'right',
      wideOnly: true,
    },
    {
      header: 'DOCKER0',
      cell: (row) => marked(row, 'bridge', told(row, "Docker's bridge", row.dockerBridge?.join(',') ?? null)),
      csv: ({ dockerBridge }) => dockerBridge?.join(',') ?? null,
      drop: 1,
    },
    {
      header: 'MTU',
      cell: (row) => marked(row, 'mtu', told(row, 'MTU', row.mtu)),
      csv: ({ mtu }) => mtu,
      align: 'right',
      drop: 2,
    },
    {
      header: 'ROUTED',
      cell: (row) => peers(row, row.peersRouted),
      csv: ({ peersRouted }) => peersRouted,
      align: 'right',
      wideOnly: true,
    },
    {
      header: 'PEERS',
      cell: (row) => peers(row, row.peersReached),
      csv: ({ peersReached }) => peersReached,
      align: 'right',
    },
    { header: 'PROBLEMS', cell: problems, shrink: true },
    { header: 'ADDRESS', cell: ({ address }) => address, wideOnly: true },
    { header: 'PUBLIC IP', cell: ({ publicIP }) => publicIP, wideOnly: true },
  ],
};
