import type { ProbeLeg } from '../fact/probed-path';
import type { Problem } from '../net/problem';
import type { PathFault, VerifiedPath } from './verified-path';

/** What is known of the nodes besides their paths. */
export interface PathScene {
  /** The node's own addresses with their devices, by node. */
  readonly devices: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** UDP ports of vxlan devices, by node. */
  readonly vxlanPorts: ReadonlyMap<string, number>;
  /** A packet without an answer for so long has failed. */
  readonly answerTimeoutMs: number;
}

/** Many names tell a reader no more than a few. */
const mostNames = 5;

interface Finding {
  readonly code: PathFault | 'path-masqueraded';
  readonly leg: ProbeLeg;
  readonly text: string;
  readonly path: VerifiedPath;
}

/**
 * What is wrong, the same of several pairs as one problem: a node that nobody reaches is one line and not forty-seven.
 * The gravest first.
 */
export function pathProblems(paths: readonly VerifiedPath[], scene: PathScene): readonly Problem[] {
  const groups = new Map<string, Finding[]>();
  for (const path of paths) {
    for (const finding of findingsOf(path, scene)) {
      const key = `${finding.code} ${finding.leg} ${finding.text}`;
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [finding]);
      else group.push(finding);
    }
  }
  const order: readonly Finding['code'][] = ['path-dead', 'path-protocol', 'path-mtu', 'path-masqueraded'];
  return [...groups.values()]
    .sort(([a], [b]) => (a === undefined || b === undefined ? 0 : order.indexOf(a.code) - order.indexOf(b.code)))
    .flatMap((group) => {
      const [first] = group;
      if (first === undefined) return [];
      const all = paths.filter(({ leg }) => leg === first.leg).length;
      const sets = group.length === all && all > 2 ? [everyone(group)] : gathered(group);
      return sets.map((set) => {
        const example = group.find(({ path }) => set.from.includes(path.from) && set.to.includes(path.to)) ?? first;
        return problemOf(example, set, group.length === all && all > 2 ? all : null, scene);
      });
    });
}

function findingsOf(path: VerifiedPath, { devices, answerTimeoutMs }: PathScene): readonly Finding[] {
  const found: Finding[] = [];
  const { leg } = path;
  if (path.fault !== null) {
    const text = (path.clue ?? '').replace('nothing came back', `nothing came back within ${answerTimeoutMs / 1000} s`);
    found.push({ code: path.fault, leg, text, path });
  }
  const [source] = path.otherSources;
  if (source !== undefined) {
    const device = devices.get(path.from)?.get(source);
    // Addresses differ from node to node, what they are does not: so that the same of many nodes is one problem.
    const text =
      device === undefined ? `arrives with another address` : `arrives with the address of its node (${device})`;
    found.push({ code: 'path-masqueraded', leg, text, path });
  }
  return found;
}

interface PairSet {
  readonly from: readonly string[];
  readonly to: readonly string[];
}

function everyone(group: readonly Finding[]): PairSet {
  return {
    from: [...new Set(group.map(({ path }) => path.from))],
    to: [...new Set(group.map(({ path }) => path.to))],
  };
}

/** Pairs as few sets of one node to many, or many to one: the node with the most pairs first. */
function gathered(group: readonly Finding[]): readonly PairSet[] {
  const sets: PairSet[] = [];
  let left = group.map(({ path: { from, to } }) => ({ from, to }));
  while (left.length > 0) {
    const largest = (side: 'from' | 'to'): readonly [string, number] => {
      const counts = new Map<string, number>();
      for (const pair of left) counts.set(pair[side], (counts.get(pair[side]) ?? 0) + 1);
      return [...counts].reduce((best, each) => (each[1] > best[1] ? each : best), ['', 0]);
    };
    const [sender, sent] = largest('from');
    const [receiver, received] = largest('to');
    const side = received > sent ? 'to' : 'from';
    const node = side === 'to' ? receiver : sender;
    const taken = left.filter((pair) => pair[side] === node);
    sets.push(
      side === 'from'
        ? { from: [node], to: taken.map(({ to }) => to) }
        : { from: taken.map(({ from }) => from), to: [node] },
    );
    left = left.filter((pair) => pair[side] !== node);
  }
  return sets;
}

const between: Readonly<Record<ProbeLeg, string>> = {
  'container-to-container': '',
  'container-to-node': ' (from containers to the node itself)',
  'node-to-container': ' (from the node itself to containers)',
  'container-to-outside': ' (from containers to the outside)',
};

function problemOf(finding: Finding, set: PairSet, all: number | null, scene: PathScene): Problem {
  const { code, leg, text } = finding;
  const path = all === null ? `${names(set.from)} to ${names(set.to)}` : `all ${all} pairs`;
  const where = `${path}${between[leg]}`;
  const involved = leg === 'container-to-outside' ? set.from : [...set.from, ...set.to];
  switch (code) {
    case 'path-dead': {
      const port = set.from.flatMap((name) => scene.vxlanPorts.get(name) ?? [])[0];
      const tunnel =
        port === undefined || leg !== 'container-to-container'
          ? ''
          : `; vxlan goes by UDP port ${port} between the nodes`;
      return error(
        code,
        path,
        `${where}: nothing gets there and back: ${text}${tunnel}`,
        leg === 'container-to-outside' ? command('fix-masquerade --check', set.from) : command('node status', involved),
      );
    }
    case 'path-protocol':
      return error(
        code,
        path,
        `${where}: some packets arrive and some do not, whatever their size: ${text}`,
        'netctl explain path-protocol',
      );
    case 'path-mtu':
      return error(
        code,
        path,
        `${where}: small packets arrive, large ones do not: ${text}`,
        command('node status', involved),
      );
    case 'path-masqueraded': {
      const { sender, to, otherSources } = finding.path;
      return {
        code,
        severity: 'warning',
        path,
        message: `${where}: what a container sends ${text}, not with its own; ${to} saw ${sender} as ${otherSources.join(', ')}`,
        suggestion: command('fix-masquerade', set.from),
      };
    }
    default:
      return code satisfies never;
  }
}

function error(code: PathFault, path: string, message: string, suggestion: string): Problem {
  return { code, severity: 'error', path, message, suggestion };
}

function names(all: readonly string[]): string {
  if (all.length <= mostNames + 1) return all.join(', ');
  return `${all.slice(0, mostNames).join(', ')} and ${all.length - mostNames} more`;
}

function command(words: string, nodes: readonly string[]): string {
  const all = [...new Set(nodes)];
  return `netctl ${words} ${all.length > mostNames ? '--all' : all.join(' ')}`;
}
