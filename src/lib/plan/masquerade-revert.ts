import { rulesOfChain, tableOf } from '../fact/iptables-save';
import { inventoryDefaults } from '../inventory/inventory-defaults';
import { formatCidr } from '../net/cidr';
import { mergeDaemonJson, readDaemonJson, removeFromDaemonJson } from '../net/json-edit';
import type { ContainerBridge } from '../net/masquerade-rule';
import { isWrittenByNetctl } from '../net/written-by-netctl';
import { type HostChange, type NodeStep, seenText } from './host-change';
import { type MasqueradeIntent, masqueradeDropIn, masqueradePaths, masqueradeUnit } from './masquerade-files';
import { chainChanges, pathChanges } from './masquerade-judge';
import { dockersRules, type FrontRules, isOwnRule, natRules, userChain } from './masquerade-rules';
import { type MasqueradePlan, problem, type Scene } from './masquerade-scene';
import { run, savedSteps } from './masquerade-step';

/** Docker's own rules again, then ours go, then what put them there. */
export function revertPlan(scene: Scene): MasqueradePlan {
  const { answers, network, fronts, bridges, masqueraded, earlier, problems, node, dockerService, wish } = scene;
  const after = fronts.map((front) => dockersRules(front, earlier === undefined ? ownBridges(scene) : masqueraded));
  const changes: HostChange[] = [];
  const unit = answers.units.known ? answers.units.value.get(masqueradeUnit) : undefined;
  const files = [masqueradeDropIn(dockerService), masqueradePaths.unit, masqueradePaths.script];
  const removals: HostChange[] = [];
  for (const path of files) {
    const before = seenText(answers.texts, path);
    if (before === undefined) {
      problems.push(problem('error', 'masquerade-unknown', path, `${path} could not be read`, null));
    } else if (before.kind === 'file' && isWrittenByNetctl(before.text ?? '')) {
      removals.push({ kind: 'remove', path, before, why: 'netctl put it there' });
    } else if (before.kind !== 'absent') {
      problems.push(
        problem(
          'warning',
          'masquerade-file-foreign',
          path,
          `${path} does not say that netctl wrote it; it is left`,
          null,
        ),
      );
    }
  }
  if (
    removals.some((change) => 'path' in change && change.path === masqueradePaths.unit) ||
    unit?.activeState === 'active'
  ) {
    changes.push(run('nobody puts the rules right any more', ['systemctl', 'disable', '--now', masqueradeUnit]));
  }
  changes.push(...removals);
  if (removals.length > 0) changes.push(run('systemd reads the units as they are now', ['systemctl', 'daemon-reload']));
  const json = earlier === undefined ? null : jsonBack(scene, earlier);
  if (json !== null) changes.push(json);
  for (const [at, front] of fronts.entries()) changes.push(...rulesBackPlainly(front, after[at] ?? front));
  if (removals.length > 0) {
    const own = ['/run/netctl/masquerade.bridges', '/run/netctl/masquerade.lock'];
    changes.push(run('the script kept them', ['rm', '-f', '--', ...own]));
  }
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
  if (wish.save) steps.push(...savedSteps(scene, after));
  return {
    node,
    network: formatCidr(network),
    method: null,
    reason: '',
    bridges,
    paths: pathChanges(scene, after, false),
    chains: chainChanges(fronts, after),
    steps: problems.some(({ severity }) => severity === 'error') ? [] : steps,
    problems,
    stops: [],
    undo: [],
  };
}

/** Bridges that Docker masquerades and that rules of ours are about, where the script that knew them is gone. */
function ownBridges({ fronts, masqueraded }: Scene): readonly ContainerBridge[] {
  const own = fronts.flatMap((front) => natRules(front).filter(isOwnRule));
  return masqueraded.filter(({ device, subnet }) =>
    own.some(({ words }) => words.includes(device) && words.includes(formatCidr(subnet))),
  );
}

/** daemon.json without what we wrote, unless somebody has changed it since. */
function jsonBack({ answers, wish }: Scene, { ipMasqBefore }: MasqueradeIntent): HostChange | null {
  const path = wish.inventory.docker.daemonJson ?? inventoryDefaults.docker.daemonJson;
  const before = seenText(answers.texts, path);
  if (ipMasqBefore === null || before?.kind !== 'file') return null;
  const file = readDaemonJson(before.text);
  if (file.kind !== 'object' || file.values.get('ip-masq') !== false) return null;
  const text =
    ipMasqBefore === 'unset'
      ? removeFromDaemonJson(file, { 'ip-masq': false }).text
      : mergeDaemonJson(file, { 'ip-masq': ipMasqBefore === 'true' }).text;
  // A file that is just what we make out of nothing was made by us.
  if (mergeDaemonJson({ kind: 'absent' }, { 'ip-masq': false }).text === file.text) {
    return { kind: 'remove', path, before, why: 'netctl put it there' };
  }
  if (text === file.text) return null;
  return {
    kind: 'write',
    path,
    mode: before.mode,
    content: Buffer.from(text),
    before,
    isSecret: false,
    why: `ip-masq false -> ${ipMasqBefore}, as before`,
  };
}

/** The same as words of iptables that a person can read: Docker's rule in first, at the place of ours, then ours out. */
function rulesBackPlainly(before: FrontRules, after: FrontRules): readonly HostChange[] {
  const program = before.isStandard ? 'iptables' : `iptables-${before.frontEnd}`;
  const command = (
    table: string,
    verb: string,
    chain: string,
    ...words: readonly string[]
  ): readonly [string, ...string[]] => [program, '-w', '10', '-t', table, verb, chain, ...words];
  const found: HostChange[] = [];
  const was = natRules(before);
  const is = natRules(after);
  const hasNow = new Set(was.map(({ words }) => words.join('\n')));
  is.forEach((rule, at) => {
    if (hasNow.has(rule.words.join('\n'))) return;
    const place = was.length === 0 ? '1' : String(Math.min(at + 1, was.length + 1));
    found.push(run("Docker's rule is there again", command('nat', '-I', 'POSTROUTING', place, ...rule.words.slice(2))));
  });
  for (const rule of was) {
    if (isOwnRule(rule)) found.push(run('ours goes', command('nat', '-D', 'POSTROUTING', ...rule.words.slice(2))));
  }
  for (const rule of rulesOfChain(tableOf(before.ruleset, 'filter'), userChain)) {
    if (isOwnRule(rule)) found.push(run('ours goes', command('filter', '-D', userChain, ...rule.words.slice(2))));
  }
  return found;
}
