import { isDockerAtLeast } from '../fact/docker';
import { rulesOfChain, tableOf } from '../fact/iptables-save';
import { formatCidr } from '../net/cidr';
import { type ContainerBridge, overlayChain } from '../net/masquerade-rule';
import { type NodeRules, type PathScene, pathsOf } from './masquerade-paths';
import {
  chainRules,
  type FrontRules,
  hasChain,
  isRawDrop,
  userChain,
  withoutAccepts,
  withoutRawDrops,
} from './masquerade-rules';
import { type ChainChange, type MasqueradeMethod, type PathChange, problem, type Scene } from './masquerade-scene';

export interface Drops {
  readonly wantsAccept: boolean;
  readonly wantsDirectRouting: boolean;
}

/** Packets from containers of other nodes that would be dropped here, judged without the accepts of ours that may be there already. */
export function dropsOf(scene: Scene): Drops {
  const { fronts, bridges, answers, problems, node } = scene;
  const engine = answers.docker.known && answers.docker.value.state === 'running' ? answers.docker.value.engine : null;
  const raw = fronts.flatMap(({ ruleset }) =>
    rulesOfChain(tableOf(ruleset, 'raw'), 'PREROUTING').filter((rule) => isRawDrop(rule, bridges)),
  );
  const [firstRaw] = raw;
  const canRoute = engine !== null && isDockerAtLeast(engine.version, 28, 2);
  const bare = fronts.map(withoutAccepts).map((front) => withoutRawDrops(front, bridges));
  const [dropped] = bridges
    .map((bridge) => pathsOf(pathScene(scene, bridge), rulesOf(scene, bare)))
    .flatMap((paths) =>
      paths.filter(({ path, carried }) => path === 'remote-to-container' && carried.kind === 'dropped'),
    );
  const canAccept = fronts.some(({ isStandard, ruleset }) => isStandard && hasChain(ruleset, 'filter', userChain));
  const by = dropped?.carried.by ?? null;
  if (firstRaw !== undefined) {
    problems.push(
      problem(
        'warning',
        'docker-drops-overlay',
        'raw PREROUTING',
        `Docker ${engine?.version.text ?? ''} drops what reaches a container of ${node} by a route: ${firstRaw.text}${canRoute ? '' : '; this release can only be told so by its environment'}`,
        canRoute
          ? '"allow-direct-routing": true in daemon.json, and a restart of Docker'
          : 'Environment=DOCKER_INSECURE_NO_IPTABLES_RAW=1 in a drop-in of docker.service, then restart Docker',
      ),
    );
  }
  if (by !== null) {
    const isDockers = by.startsWith('-A DOCKER');
    const isPolicy = by.startsWith('-P ');
    problems.push(
      problem(
        'warning',
        isDockers ? 'docker-drops-overlay' : isPolicy ? 'forward-policy-drop' : 'overlay-dropped',
        'FORWARD',
        `packets from containers of other nodes are dropped on ${node}: ${by}`,
        canAccept ? `an accept for ${formatCidr(scene.network)} in DOCKER-USER` : null,
      ),
    );
  }
  return { wantsAccept: by !== null && canAccept, wantsDirectRouting: firstRaw !== undefined && canRoute };
}

function pathScene({ network, answers }: Scene, bridge: ContainerBridge): PathScene {
  return {
    network,
    bridge,
    links: answers.links.known ? answers.links.value : [],
    routes: answers.routes.known ? answers.routes.value : [],
  };
}

function rulesOf({ answers }: Scene, fronts: readonly FrontRules[]): NodeRules {
  return {
    iptables: fronts.map(({ ruleset }) => ruleset),
    nftTables: answers.nftTables.known ? answers.nftTables.value : [],
  };
}

export function pathChanges(scene: Scene, after: readonly FrontRules[], rawGoes: boolean): readonly PathChange[] {
  const then = rawGoes ? after.map((front) => withoutRawDrops(front, scene.bridges)) : after;
  return scene.bridges.flatMap((bridge) => {
    const where = pathScene(scene, bridge);
    const now = pathsOf(where, rulesOf(scene, scene.fronts));
    const later = pathsOf(where, rulesOf(scene, then));
    return now.map(({ path, from, to, carried }, at) => ({
      path,
      bridge: bridge.device,
      from,
      to,
      before: carried,
      after: later[at]?.carried ?? carried,
    }));
  });
}

/** What is wrong now and what would still be wrong afterwards. */
export function judge(scene: Scene, paths: readonly PathChange[], method: MasqueradeMethod, isNotKept: boolean): void {
  const { problems, node, network } = scene;
  const tell = (...words: Parameters<typeof problem>): void => {
    const found = problem(...words);
    if (!problems.some((other) => other.code === found.code && other.message === found.message)) problems.push(found);
  };
  for (const { path, bridge, before, after } of paths) {
    if (path === 'container-to-container') {
      if (before.kind === 'changed' && after.kind === 'kept') {
        tell(
          'warning',
          'source-masqueraded',
          bridge,
          `containers of ${node} are seen by other nodes as ${before.address ?? 'the node'}: ${before.by ?? ''}`,
          null,
        );
      }
      if (after.kind === 'changed') {
        tell(
          'error',
          'masqueraded-by-other',
          bridge,
          `another rule would still give containers of ${node} the address ${after.address ?? 'of the node'} towards ${formatCidr(network)}: ${after.by ?? ''}`,
          'Whoever made that rule has to leave the network out of it.',
        );
      }
      if (after.kind === 'unknown') {
        tell(
          'warning',
          'source-unknown',
          bridge,
          `which source address arrives from ${node} hangs on a condition that cannot be judged: ${after.by ?? ''}`,
          null,
        );
      }
    }
    if (path === 'container-to-internet') {
      const isLost =
        before.kind !== 'kept' && after.kind === 'kept' && !problems.some(({ severity }) => severity === 'error');
      if (isLost) {
        tell(
          'error',
          'nat-would-be-lost',
          bridge,
          `with method ${method} containers of ${node} would leave with their own address, and no answer would come back`,
          '--method rule',
        );
      } else if (after.kind === 'kept') {
        tell(
          'warning',
          'no-nat-outside',
          bridge,
          `containers of ${node} leave the network with their own address ${after.address ?? ''}: nobody masquerades ${bridge}`,
          null,
        );
      }
    }
    if (after.kind === 'dropped' && path !== 'host-to-container' && before.kind === 'dropped') {
      tell('warning', 'overlay-dropped', bridge, `${path} would still be dropped on ${node}: ${after.by ?? ''}`, null);
    }
  }
  if (isNotKept) {
    tell(
      'warning',
      'masquerade-not-kept',
      node,
      `the rules of ${node} are right now, but the next start of Docker undoes it`,
      null,
    );
  }
}

export function chainChanges(before: readonly FrontRules[], after: readonly FrontRules[]): readonly ChainChange[] {
  return before.flatMap((front, at) => {
    const then = after[at] ?? front;
    return (
      [
        ['nat', 'POSTROUTING'],
        ['filter', userChain],
        ['filter', overlayChain],
      ] as const
    ).flatMap(([table, chain]) => {
      const texts = (of: FrontRules) => chainRules(of, table, chain).map(({ text }) => text.trimEnd());
      const [one, other] = [texts(front), texts(then)];
      const isSame = one.length === other.length && one.every((text, line) => text === other[line]);
      if (isSame && table !== 'nat') return [];
      if (isSame && !front.isStandard) return [];
      return [{ program: `iptables-${front.frontEnd}`, table, chain, before: one, after: other }];
    });
  });
}
