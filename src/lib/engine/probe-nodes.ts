import { randomBytes } from 'node:crypto';
import { NetctlError } from '../errors';
import { type LossSeen, lossFacts } from '../fact/loss-facts';
import { probeFacts } from '../fact/probe-facts';
import type { ProbedPath, ProbeLeg, ProbeOutcome, ProbeTest } from '../fact/probed-path';
import type { Host } from '../host/host';
import { forEachHost } from '../host/pool';
import { formatIpv4 } from '../net/ipv4';
import { type ProbePlace, probePlace } from '../plan/probe-place';
import {
  longestAskMs,
  NoProbe,
  openProbeTalk,
  type ProbeJob,
  type ProbeReady,
  type ProbeResult,
  type ProbeTalk,
  type ProbeWords,
} from './probe-talk';
import { survey } from './survey';

export interface ProbeNode {
  readonly name: string;
  readonly host: () => Promise<Host>;
  /** The address that peers send to; null: nothing is sent to the node itself. */
  readonly publicIP: string | null;
  /** flanneld's `--subnet-file` there. */
  readonly subnetFile: string;
}

export interface ProbeOptions {
  /** `container-to-container` alone unless told. `container-to-outside` needs `outside`. */
  readonly legs?: readonly ProbeLeg[];
  /** An address beyond the cluster; with a port it is connected to as well. */
  readonly outside?: { readonly address: string; readonly port: number | null };
  /** A packet without an answer for so long has failed. Default: 5000. */
  readonly answerTimeoutMs?: number;
  /** So many nodes are asked, set up, and send at a time. Default: 16. All of them answer during the whole run. */
  readonly atOnce?: number;
  /** Where packets are lost, look at the nodes' rules and ways as well. */
  readonly explain?: boolean;
  readonly signal?: AbortSignal;
}

export type ProbedNode =
  | {
      readonly name: string;
      readonly state: 'probed';
      /** Of the endpoint: what a container there would have. */
      readonly address: string;
      readonly bridge: string;
      readonly mtu: number;
      /** UDP port of a vxlan device that is there, which is flannel's in all likelihood. */
      readonly vxlanPort: number | null;
      /** The node's own addresses, each with its device. */
      readonly devices: ReadonlyMap<string, string>;
    }
  | { readonly name: string; readonly state: 'unknown'; readonly why: string }
  | { readonly name: string; readonly state: 'unreachable'; readonly error: NetctlError };

export interface ProbeReport {
  /** In the order in which they were named. */
  readonly nodes: readonly ProbedNode[];
  /** All ordered pairs of different nodes, those of which nothing is known too. */
  readonly paths: readonly ProbedPath[];
  /** Nodes from which or to which something was lost, with `explain`: before, and after all were done. */
  readonly losses?: ReadonlyMap<string, { readonly before: LossSeen; readonly after: LossSeen }>;
}

const surveyTimeoutMs = 20_000;
const setUpTimeoutMs = 25_000;
const smallBytes = 128;
const smallIcmpBytes = 84;
const largeTcpBytes = 20_000;

interface Open {
  readonly talk: ProbeTalk;
  readonly ready: ProbeReady;
  readonly place: ProbePlace;
  readonly words: ProbeWords;
  readonly host: Host;
  /** Null when it was not asked, or did not answer. */
  readonly before: LossSeen | null;
}

/**
 * Puts an endpoint on each node, where a container would stand, and lets all of them send to each other.
 *
 * Nothing stays: an endpoint is a network namespace without a name, which lives as long as one process does, and that ends with its
 * standard input. A node that cannot be reached or probed costs its own pairs only.
 */
export async function probeNodes(nodes: readonly ProbeNode[], options: ProbeOptions = {}): Promise<ProbeReport> {
  const atOnce = options.atOnce ?? 16;
  const pool = { atOnce, ...(options.signal === undefined ? {} : { signal: options.signal }) };
  const answerTimeoutMs = options.answerTimeoutMs ?? 5000;
  const mostJobs = 24 * nodes.length + 8;
  // All stay up until the last one has asked.
  const rounds = Math.ceil(nodes.length / atOnce);
  const timeoutMs =
    rounds * (surveyTimeoutMs + setUpTimeoutMs) + rounds * longestAskMs(mostJobs, answerTimeoutMs) + 10_000;

  const open = new Map<string, Open>();
  const talks: ProbeTalk[] = [];
  try {
    const outcomes = await forEachHost(nodes, pool, async (node): Promise<ProbedNode> => {
      const host = await node.host();
      const { answers } = await survey(host, probeFacts({ subnetFile: node.subnetFile }), {
        timeoutMs: surveyTimeoutMs,
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      });
      const place = probePlace(answers);
      if (!place.known) return { name: node.name, state: 'unknown', why: place.why };
      const words = { ask: randomBytes(16).toString('hex'), answer: randomBytes(16).toString('hex') };
      const talk = openProbeTalk(host, {
        place: place.value,
        // A node listens on its own address only where somebody is to send there.
        publicIP: options.legs?.includes('container-to-node') === true ? node.publicIP : null,
        words,
        // Called as Docker calls its own, so that what leaves those alone leaves this one alone.
        link: `vethnctl${randomBytes(3).toString('hex')}`,
        answerTimeoutMs,
        timeoutMs,
        mostJobs,
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      });
      talks.push(talk);
      const [ready, before] = await Promise.all([
        within(talk.ready, setUpTimeoutMs),
        options.explain === true ? lookForLoss(host, [], options.signal) : null,
      ]);
      open.set(node.name, { talk, ready, place: place.value, words, host, before });
      const { bridge, mtu } = place.value;
      const links = answers.links.known ? answers.links.value : [];
      return {
        name: node.name,
        state: 'probed',
        address: ready.address,
        bridge,
        mtu,
        vxlanPort: links.find(({ vxlan }) => vxlan !== null)?.vxlan?.port ?? null,
        devices: new Map(
          links.flatMap(({ name, addresses }) =>
            addresses.flatMap((each) => (each.family === 4 ? [[formatIpv4(each.address), name] as const] : [])),
          ),
        ),
      };
    });
    const probed = outcomes.map((outcome): ProbedNode => {
      if (outcome.kind === 'done') return outcome.value;
      return notProbed(outcome.item.name, outcome.kind === 'failed' ? outcome.error : options.signal?.reason);
    });
    options.signal?.throwIfAborted();
    const asked = await forEachHost(nodes, pool, (node) => askFrom(node, nodes, open, probed, options));
    const paths = asked.flatMap((outcome) => {
      if (outcome.kind === 'done') return outcome.value;
      throw outcome.kind === 'failed' ? outcome.error : options.signal?.reason;
    });
    const losses = new Map<string, { readonly before: LossSeen; readonly after: LossSeen }>();
    await forEachHost([...open], pool, async ([name, { host, before }]) => {
      if (before === null) return;
      const peers = lostPeers(name, paths);
      const targets = [...peers].flatMap((peer) => open.get(peer)?.ready.address ?? []);
      const after = peers.size === 0 ? null : await lookForLoss(host, targets, options.signal);
      if (after !== null) losses.set(name, { before, after });
    });
    return { nodes: probed, paths, losses };
  } finally {
    await Promise.all(talks.map((talk) => talk.end()));
  }
}

function notProbed(name: string, error: unknown): ProbedNode {
  if (error instanceof NoProbe) return { name, state: 'unknown', why: error.message };
  if (error instanceof NetctlError) return { name, state: 'unreachable', error };
  throw error;
}

/** Containers there from which something did not arrive here, or the other way round. */
export function lostPeers(name: string, paths: readonly ProbedPath[]): ReadonlySet<string> {
  return new Set(
    paths.flatMap(({ from, to, leg, tests }) => {
      if (leg !== 'container-to-container' || (from !== name && to !== name)) return [];
      return tests.some(({ outcome }) => outcome.kind === 'failed') ? [from === name ? to : from] : [];
    }),
  );
}

/** Only evidence: a node that does not answer costs it and no more. */
async function lookForLoss(
  host: Host,
  targets: readonly string[],
  signal: AbortSignal | undefined,
): Promise<LossSeen | null> {
  try {
    const facts = lossFacts(targets);
    return (await survey(host, facts, { timeoutMs: surveyTimeoutMs, ...(signal === undefined ? {} : { signal }) }))
      .answers;
  } catch (error) {
    if (error instanceof NetctlError) return null;
    throw error;
  }
}

async function within<T>(promise: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new NoProbe(`it was not ready within ${timeoutMs / 1000} s`)), timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A test, and the job that answers it; null when it cannot be tried. */
interface Planned {
  readonly path: Omit<ProbedPath, 'tests'>;
  readonly test: Omit<ProbeTest, 'outcome'>;
  readonly job: ProbeJob | null;
  readonly why: string;
}

async function askFrom(
  node: ProbeNode,
  nodes: readonly ProbeNode[],
  open: ReadonlyMap<string, Open>,
  probed: readonly ProbedNode[],
  options: ProbeOptions,
): Promise<readonly ProbedPath[]> {
  const own = open.get(node.name);
  const whyNot = (name: string): string => {
    const found = probed.find((each) => each.name === name);
    if (found?.state === 'unknown') return `${name}: ${found.why}`;
    return found?.state === 'unreachable' ? found.error.message : `${name} was not asked`;
  };
  const planned = planFrom(node, nodes, open, options, whyNot);
  const jobs = planned.flatMap(({ job }) => job ?? []);
  const { results, lost } = (await own?.talk.ask(jobs, longestAskMs(jobs.length, options.answerTimeoutMs ?? 5000))) ?? {
    results: new Map<number, ProbeResult>(),
    lost: null,
  };
  const noResult =
    lost instanceof NetctlError
      ? lost.message
      : `${node.name}: ${lost?.message ?? 'it did not say what became of its packets'}`;
  const paths = new Map<string, { readonly path: Omit<ProbedPath, 'tests'>; readonly tests: ProbeTest[] }>();
  for (const { path, test, job, why } of planned) {
    const key = `${path.leg} ${path.to}`;
    const group = paths.get(key) ?? { path, tests: [] };
    paths.set(key, group);
    group.tests.push({
      ...test,
      outcome: job === null ? { kind: 'unknown', why } : outcomeOf(node.name, results.get(job.id), test, noResult),
    });
  }
  return [...paths.values()].map(({ path, tests }) => ({ ...path, tests }));
}

function outcomeOf(
  name: string,
  result: ProbeResult | undefined,
  test: Omit<ProbeTest, 'outcome'>,
  lost: string,
): ProbeOutcome {
  if (result === undefined) return { kind: 'unknown', why: lost };
  switch (result.kind) {
    case 'not-tried':
      return { kind: 'unknown', why: `${name}: ${result.why}` };
    case 'failed':
      return { kind: 'failed', failure: result.failure };
    case 'answered':
      if (test.bytes > 0 && result.bytes !== test.bytes) return { kind: 'failed', failure: { kind: 'wrong-answer' } };
      return { kind: 'answered', source: result.source, roundTripMicroseconds: result.roundTripMicroseconds };
    default:
      return result satisfies never;
  }
}

function planFrom(
  node: ProbeNode,
  nodes: readonly ProbeNode[],
  open: ReadonlyMap<string, Open>,
  options: ProbeOptions,
  whyNot: (name: string) => string,
): readonly Planned[] {
  const own = open.get(node.name);
  const planned: Planned[] = [];
  let id = 0;
  const add = (
    path: Pick<ProbedPath, 'leg' | 'to'>,
    tests: readonly (Omit<ProbeTest, 'outcome'> & { readonly check?: 'connect' })[],
    target: Target | string,
  ) => {
    const from = path.leg === 'node-to-container' ? 'node' : 'container';
    for (const { check, ...test } of tests) {
      const job: ProbeJob | null =
        typeof target === 'string' || own === undefined
          ? null
          : {
              id: id++,
              from,
              check: check ?? test.protocol,
              address: target.address,
              port: test.protocol === 'icmp' ? 0 : test.protocol === 'udp' ? target.udpPort : target.tcpPort,
              bytes: test.bytes,
              words: target.words,
              nonce: randomBytes(8).toString('hex'),
            };
      planned.push({
        path: { ...path, from: node.name, sender: from === 'node' ? null : (own?.ready.address ?? null) },
        test,
        job,
        why: own === undefined ? whyNot(node.name) : typeof target === 'string' ? target : '',
      });
    }
  };
  const mtu = own?.place.mtu ?? 1500;
  for (const leg of options.legs ?? ['container-to-container']) {
    if (leg === 'container-to-outside') {
      const { outside } = options;
      if (outside === undefined) continue;
      const tests = [
        ...(outside.port === null ? [] : [{ protocol: 'tcp', size: 'small', bytes: 0, check: 'connect' } as const]),
        { protocol: 'icmp', size: 'small', bytes: smallIcmpBytes } as const,
      ];
      const { address, port } = outside;
      add({ leg, to: address }, tests, { address, tcpPort: port ?? 0, udpPort: 0, words: noWords });
      continue;
    }
    for (const peer of nodes) {
      if (peer.name !== node.name) add({ leg, to: peer.name }, testsFor(mtu), targetOf(peer, open, leg, whyNot));
    }
  }
  return planned;
}

const noWords: ProbeWords = { ask: '-', answer: '-' };

function testsFor(mtu: number): readonly Omit<ProbeTest, 'outcome'>[] {
  return [
    { protocol: 'tcp', size: 'small', bytes: smallBytes },
    { protocol: 'tcp', size: 'large', bytes: Math.max(largeTcpBytes, Math.min(2 * mtu, 60_000)) },
    { protocol: 'udp', size: 'small', bytes: smallBytes },
    { protocol: 'udp', size: 'large', bytes: Math.min(2 * mtu, 60_000) },
    { protocol: 'icmp', size: 'small', bytes: smallIcmpBytes },
    { protocol: 'icmp', size: 'large', bytes: mtu },
  ];
}

interface Target {
  readonly address: string;
  readonly tcpPort: number;
  readonly udpPort: number;
  readonly words: ProbeWords;
}

/** Where the peer answers, or why it does not. */
function targetOf(
  peer: ProbeNode,
  open: ReadonlyMap<string, Open>,
  leg: ProbeLeg,
  whyNot: (name: string) => string,
): Target | string {
  const found = open.get(peer.name);
  if (found === undefined) return whyNot(peer.name);
  const { ready, words } = found;
  if (leg !== 'container-to-node') {
    return { address: ready.address, tcpPort: ready.tcpPort, udpPort: ready.udpPort, words };
  }
  if (peer.publicIP === null) return `the public IP of ${peer.name} is not known`;
  if (ready.node === null) return `${peer.publicIP} is no address of ${peer.name}`;
  return { address: peer.publicIP, ...ready.node, words };
}
