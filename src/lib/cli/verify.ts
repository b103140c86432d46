import { type LossScene, lossProblems } from '../check/packet-loss';
import { pathProblems } from '../check/path-problems';
import { failureText, type VerifiedPath, verifyPath } from '../check/verified-path';
import { lostPeers, type ProbedNode, type ProbeOptions, probeNodes } from '../engine/probe-nodes';
import { InvalidInput } from '../errors';
import type { Inventory, InventoryNode } from '../inventory/inventory';
import { inventoryDefaults } from '../inventory/inventory-defaults';
import { parseIpv4 } from '../net/ipv4';
import { type VerifiedNodeItem, type VerifyDocument, verifiedPathItem } from '../view/verify';
import type { Hosts } from './nodes';

export interface VerifyOptions {
  /** `198.51.100.1` or `198.51.100.1:80`. */
  readonly outside?: string | undefined;
  readonly withNodes: boolean;
  readonly answerTimeoutSeconds: number;
  readonly atOnce: number;
}

/** Lets all nodes send to each other and says what became of it. @throws InvalidInput `outside-not-address`, `one-node` */
export async function verifyNodes(
  inventory: Inventory,
  nodes: readonly InventoryNode[],
  hosts: Hosts,
  options: VerifyOptions,
): Promise<VerifyDocument> {
  const outside = options.outside === undefined ? undefined : outsideOf(options.outside);
  const [first] = nodes;
  if (nodes.length < 2 && outside === undefined) {
    throw new InvalidInput({
      code: 'one-node',
      message: `${first?.name ?? 'no node'} alone has nobody to send to: a pair needs two nodes`,
      next: ['Name another one, or all: netctl verify --all', 'Or prove the way out: --outside ADDRESS:PORT'],
    });
  }
  const subnetFile = inventory.flannel.subnetFile ?? inventoryDefaults.flannel.subnetFile;
  const answerTimeoutMs = options.answerTimeoutSeconds * 1000;
  const legs: ProbeOptions['legs'] = [
    ...(nodes.length < 2 ? [] : (['container-to-container'] as const)),
    ...(options.withNodes ? (['container-to-node', 'node-to-container'] as const) : []),
    ...(outside === undefined ? [] : (['container-to-outside'] as const)),
  ];
  const report = await probeNodes(
    nodes.map((node) => ({
      name: node.name,
      host: () => hosts.of(node),
      publicIP: node.publicIP ?? null,
      subnetFile,
    })),
    { legs, answerTimeoutMs, atOnce: options.atOnce, explain: true, ...(outside === undefined ? {} : { outside }) },
  );

  const paths = report.paths.map(verifyPath);
  const probed = report.nodes.flatMap((node) => (node.state === 'probed' ? node : []));
  const publicIPs = new Map(nodes.map(({ name, publicIP }) => [name, publicIP ?? null]));
  const addresses = new Map(probed.map(({ name, address }) => [name, address]));
  const scenes = [...(report.losses ?? [])].map(
    ([node, { before, after }]): LossScene => ({
      node,
      before,
      after,
      peers: [...lostPeers(node, report.paths)].flatMap((name) => {
        const address = addresses.get(name);
        return address === undefined ? [] : [{ name, address, publicIP: publicIPs.get(name) ?? null }];
      }),
    }),
  );
  const faults = pathProblems(paths, {
    devices: new Map(probed.map(({ name, devices }) => [name, devices])),
    vxlanPorts: new Map(probed.flatMap(({ name, vxlanPort }) => (vxlanPort === null ? [] : [[name, vxlanPort]]))),
    answerTimeoutMs,
  });
  const count = (state: VerifiedPath['state']) => paths.filter((path) => path.state === state).length;
  return {
    answerTimeoutSeconds: options.answerTimeoutSeconds,
    nodes: report.nodes.map(nodeItem),
    counts: {
      ok: count('ok'),
      masqueraded: count('masqueraded'),
      failed: count('failed'),
      unknown: count('unknown'),
    },
    problems: [...faults, ...lossProblems(scenes)],
    items: paths.map((path) => verifiedPathItem(path, whyOf)),
  };
}

function whyOf({ outcome }: VerifiedPath['tests'][number]): string | null {
  switch (outcome.kind) {
    case 'answered':
      return null;
    case 'failed':
      return failureText(outcome.failure);
    case 'unknown':
      return outcome.why;
    default:
      return outcome satisfies never;
  }
}

function nodeItem(node: ProbedNode): VerifiedNodeItem {
  const nothing = { address: null, bridge: null, mtu: null };
  switch (node.state) {
    case 'probed':
      return {
        name: node.name,
        state: node.state,
        address: node.address,
        bridge: node.bridge,
        mtu: node.mtu,
        why: null,
      };
    case 'unknown':
      return { name: node.name, state: node.state, ...nothing, why: node.why };
    case 'unreachable':
      return { name: node.name, state: node.state, ...nothing, why: node.error.message };
    default:
      return node satisfies never;
  }
}

function outsideOf(text: string): { readonly address: string; readonly port: number | null } {
  const [address = '', port, ...rest] = text.split(':');
  const number = port === undefined ? null : /^[1-9]\d{0,4}$/.test(port) ? Number(port) : Number.NaN;
  if (rest.length > 0 || parseIpv4(address) === undefined || (number !== null && !(number <= 65_535))) {
    throw new InvalidInput({
      code: 'outside-not-address',
      message: `--outside ${JSON.stringify(text)} is no IPv4 address, with or without a port`,
      next: ['--outside 198.51.100.1 or --outside 198.51.100.1:443'],
    });
  }
  return { address, port: number };
}
