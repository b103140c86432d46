import type { Problem } from '../net/problem';
import { type PreflightCheck, type PreflightInput, type PreflightProblem, preflightChecks } from './preflight-checks';
import { clocks } from './preflight-clock';
import { cascade, docker, iptables } from './preflight-docker';
import { etcd, handMade, manager, release, releaseOfFleet, service } from './preflight-flannel';
import {
  architecture,
  ipForward,
  kernelModules,
  kernelVersion,
  privileges,
  programs,
  rpFilter,
  selinux,
  space,
} from './preflight-machine';
import {
  adjacency,
  firewall,
  interfaceOfNode,
  interfacesOfFleet,
  overlap,
  overlapOfEtcd,
  ports,
  unique,
} from './preflight-network';
import { type FleetCheck, type NodeCheck, scenesOf } from './preflight-scene';

const none: NodeCheck = () => [];

const ofNode: Readonly<Record<PreflightCheck, NodeCheck>> = {
  privileges,
  programs,
  architecture,
  'kernel-version': kernelVersion,
  'kernel-modules': kernelModules,
  'ip-forward': ipForward,
  'rp-filter': rpFilter,
  iptables,
  docker,
  cascade,
  space,
  clock: none,
  interface: interfaceOfNode,
  unique: none,
  overlap,
  adjacency,
  ports,
  firewall,
  selinux,
  release,
  etcd,
  certificates: none,
  service,
  manager,
  'hand-made': handMade,
};

const ofFleet: Readonly<Partial<Record<PreflightCheck, FleetCheck>>> = {
  clock: clocks,
  interface: interfacesOfFleet,
  unique,
  overlap: overlapOfEtcd,
  release: releaseOfFleet,
  certificates: (_, { certificates }) => certificates.map((problem) => ({ node: null, ...problem })),
};

const rank: Readonly<Record<Problem['severity'], number>> = { error: 0, warning: 1, info: 2 };

/**
 * Whether these nodes can be made flannel nodes, and what will be regretted: the gravest first, what concerns all before what
 * concerns one. A fact that could not be had is a warning of its own. Pure; never throws, whatever the nodes answered.
 */
export function preflight(input: PreflightInput): readonly PreflightProblem[] {
  const scenes = scenesOf(input);
  const problems: PreflightProblem[] = [];
  const wanted = preflightChecks.map(({ name }) => name).filter((name) => !input.skip.has(name));
  for (const check of wanted) {
    for (const problem of ofFleet[check]?.(scenes, input) ?? []) problems.push({ ...problem, check });
  }
  const ofAll = problems.filter(({ node }) => node === null);
  const ofOne = problems.filter(({ node }) => node !== null);
  for (const scene of scenes) {
    const { name } = scene.node;
    for (const check of wanted) {
      for (const problem of ofNode[check](scene)) ofOne.push({ ...problem, node: name, check });
    }
  }
  const place = new Map(scenes.map(({ node }, index) => [node.name, index]));
  ofOne.sort((a, b) => (place.get(a.node ?? '') ?? 0) - (place.get(b.node ?? '') ?? 0));
  return [...ofAll, ...ofOne].sort((a, b) => rank[a.severity] - rank[b.severity]);
}
