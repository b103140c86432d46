import { ruleSpecification } from '../fact/iptables-save';
import { inventoryDefaults } from '../inventory/inventory-defaults';
import { formatCidr } from '../net/cidr';
import { type DaemonJsonValues, mergeDaemonJson, readDaemonJson, removeFromDaemonJson } from '../net/json-edit';
import { type ContainerBridge, overlayChain } from '../net/masquerade-rule';
import { isWrittenByNetctl } from '../net/written-by-netctl';
import { type HostChange, type NodeStep, seenText, throughLink } from './host-change';
import { type MasqueradeIntent, masqueradeDropIn, masqueradePaths, masqueradeUnit } from './masquerade-files';
import { chainChanges, pathChanges } from './masquerade-judge';
import {
  chainRules,
  dockersRules,
  type FrontRules,
  hasChain,
  isOwnRule,
  natRules,
  userChain,
} from './masquerade-rules';
import { ownSavedRules } from './masquerade-save';
import { type MasqueradePlan, type PathChange, problem, type Scene } from './masquerade-scene';
import { programOf, run, savedSteps, waitWords } from './masquerade-step';
import { ruleEdits } from './rule-edits';

/**
 * Docker's own rules again, then ours go. What puts ours in goes before them, and the script last of all: it alone knows what was there
 * before us, and whoever was cut off runs the same again.
 */
export function revertPlan(scene: Scene): MasqueradePlan {
  const { answers, network, fronts, bridges, masqueraded, earlier, problems, node, dockerService, wish } = scene;
  const after = fronts.map((front) => dockersRules(front, earlier === undefined ? ownBridges(scene) : masqueraded));
  const paths = pathChanges(scene, after, false);
  refuseLoss(scene, paths);
  const changes: HostChange[] = [];
  const unit = answers.units.known ? answers.units.value.get(masqueradeUnit) : undefined;
  const [script, ...units] = [masqueradePaths.script, masqueradeDropIn(dockerService), masqueradePaths.unit].map(
    (path) => removalOf(scene, path),
  );
  const removals = units.flatMap((removal) => removal ?? []);
  if (
    removals.some((change) => 'path' in change && change.path === masqueradePaths.unit) ||
    unit?.activeState === 'active'
  ) {
    changes.push(run('nobody puts the rules right any more', ['systemctl', 'disable', '--now', masqueradeUnit]));
  }
  changes.push(...removals);
  const isOurs = removals.length > 0 || script != null;
  if (isOurs) changes.push(run('systemd reads the units as they are now', ['systemctl', 'daemon-reload']));
  const json = earlier === undefined ? null : jsonBack(scene, earlier);
  if (json !== null) changes.push(json);
  for (const [at, front] of fronts.entries()) {
    changes.push(...rulesBackPlainly(front, after[at] ?? front, waitWords(answers)));
  }
  if (isOurs) {
    const own = ['/run/netctl/masquerade.bridges', '/run/netctl/masquerade.lock'];
    changes.push(run('the script kept them', ['rm', '-f', '--', ...own]));
  }
  if (script != null) changes.push(script);
  const steps: NodeStep[] =
    changes.length === 0
      ? []
      : [
          {
            title: "Docker's own rules",
            changes,
            mind: [
              'containers are seen by other nodes as the node again',
              ...(json === null ? [] : [`Docker on ${node} is not restarted: daemon.json counts from its next start`]),
            ],
          },
        ];
  if (wish.save) steps.push(...savedSteps(scene, after).steps);
  else problems.push(...ownSavedRules(answers.texts));
  return {
    node,
    network: formatCidr(network),
    method: null,
    reason: '',
    bridges,
    paths,
    chains: chainChanges(fronts, after),
    steps: problems.some(({ severity }) => severity === 'error') ? [] : steps,
    problems,
    stops: [],
    undo: [],
  };
}

/** Takes a file of ours away; undefined when there is none. */
function removalOf({ answers, problems }: Scene, path: string): HostChange | undefined {
  const before = seenText(answers.texts, path);
  if (before === undefined) {
    problems.push(problem('error', 'masquerade-unknown', path, `${path} could not be read`, null));
  } else if (before.kind === 'file' && isWrittenByNetctl(before.text ?? '')) {
    return { kind: 'remove', path, before, why: 'netctl put it there' };
  } else if (before.kind !== 'absent') {
    const what = `${path} does not say that netctl wrote it; it is left`;
    problems.push(problem('warning', 'masquerade-file-foreign', path, what, null));
  }
  return undefined;
}

/** Our rule may be the only one left that masquerades: of flanneld, say, which has not got --ip-masq any more. */
function refuseLoss({ node, problems }: Scene, paths: readonly PathChange[]): void {
  for (const { path, bridge, before, after } of paths) {
    if (path !== 'container-to-internet' || before.kind !== 'changed' || after.kind !== 'kept') continue;
    problems.push(
      problem(
        'error',
        'nat-would-be-lost',
        bridge,
        `without our rule containers of ${node} would leave ${bridge} with their own address, and no answer would come back: neither Docker nor flanneld masquerades them`,
        '"ip-masq": true in daemon.json, or flannel: { ipMasq: true } in netctl.yaml and netctl node bootstrap; then --revert',
      ),
    );
  }
}

/** Bridges that Docker masquerades and that rules of ours are about, where the script that knew them is gone. */
function ownBridges({ fronts, masqueraded }: Scene): readonly ContainerBridge[] {
  const own = fronts.flatMap((front) => natRules(front).filter(isOwnRule));
  return masqueraded.filter(({ device, subnet }) =>
    own.some(({ words }) => words.includes(device) && words.includes(formatCidr(subnet))),
  );
}

/** daemon.json without what we wrote, unless somebody has changed it since. */
function jsonBack({ answers, wish }: Scene, earlier: MasqueradeIntent): HostChange | null {
  const path = wish.inventory.docker.daemonJson ?? inventoryDefaults.docker.daemonJson;
  const seen = seenText(answers.texts, path);
  const before = throughLink(seen);
  if (before?.kind !== 'file') return null;
  const file = readDaemonJson(before.text);
  if (file.kind !== 'object') return null;
  const ours = (
    [
      { key: 'ip-masq', wrote: false, was: earlier.ipMasqBefore },
      { key: 'allow-direct-routing', wrote: true, was: earlier.directRoutingBefore },
    ] as const
  ).filter(({ key, wrote, was }) => was !== null && file.values.get(key) === wrote);
  if (ours.length === 0) return null;
  const wrote: DaemonJsonValues[] = ours.map((each) => ({ [each.key]: each.wrote }));
  // A link to a file is somebody's own.
  if (seen?.kind !== 'link' && ours.every(({ was }) => was === 'unset') && isMadeOf(wrote, file.text)) {
    return { kind: 'remove', path, before, why: 'netctl put it there' };
  }
  let text = file.text;
  for (const { key, wrote: value, was } of ours) {
    const now = readDaemonJson(text);
    if (now.kind === 'refused') return null;
    text =
      was === 'unset'
        ? removeFromDaemonJson(now, { [key]: value }).text
        : mergeDaemonJson(now, { [key]: was === 'true' }).text;
  }
  return {
    kind: 'write',
    path,
    mode: before.mode,
    content: Buffer.from(text),
    before,
    isSecret: false,
    why: `${ours.map(({ key, wrote: value, was }) => `${key} ${value} -> ${was}`).join(', ')}, as before`,
  };
}

/** A file that is just what we make out of nothing was made by us; the settings may have come in two runs, in any order. */
function isMadeOf(parts: readonly DaemonJsonValues[], text: string): boolean {
  return [parts, parts.toReversed()].some((order) => {
    let made: string | null = null;
    for (const part of order) {
      const file = readDaemonJson(made);
      if (file.kind === 'refused') return false;
      made = mergeDaemonJson(file, part).text;
    }
    return made === text;
  });
}

/** As words of iptables that a person can read: Docker's rules in first, each at the place of ours, then ours out. */
function rulesBackPlainly(before: FrontRules, after: FrontRules, waits: readonly string[]): readonly HostChange[] {
  const program = programOf(before);
  const command = (table: string, ...words: readonly string[]): readonly [string, ...string[]] => [
    program,
    ...waits,
    '-t',
    table,
    ...words,
  ];
  const edits = (table: string, chain: string): readonly HostChange[] =>
    ruleEdits(chainRules(before, table, chain), chainRules(after, table, chain)).map((edit) => {
      const words = ruleSpecification(edit.rule);
      return edit.kind === 'insert'
        ? run("Docker's rule is there again", command(table, '-I', chain, String(edit.number), ...words))
        : run('ours goes', command(table, '-D', chain, ...words));
    });
  const hasOurs = hasChain(before.ruleset, 'filter', overlayChain) && !hasChain(after.ruleset, 'filter', overlayChain);
  return [
    ...edits('nat', 'POSTROUTING'),
    ...edits('filter', userChain),
    ...(hasOurs ? ['-F', '-X'].map((verb) => run('our chain goes', command('filter', verb, overlayChain))) : []),
  ];
}
