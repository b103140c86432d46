import { rulesOfChain, type SavedRule, tableOf } from '../fact/iptables-save';
import type { MasqueradeAnswers } from '../fact/masquerade-facts';
import { inventoryDefaults } from '../inventory/inventory-defaults';
import { mergeDaemonJson, readDaemonJson } from '../net/json-edit';
import { isWrittenByNetctl } from '../net/written-by-netctl';
import { fileChanges, type HostChange, type NodeStep, seenText, sha256Of, type Undo } from './host-change';
import {
  type MasqueradeIntent,
  masqueradeDropIn,
  masqueradeFiles,
  masqueradePaths,
  masqueradeUnit,
} from './masquerade-files';
import { type FrontRules, userChain } from './masquerade-rules';
import { savedRulesStep } from './masquerade-save';
import { problem, type Scene } from './masquerade-scene';

export function run(why: string, argv: readonly [string, ...string[]], timeoutMs?: number): HostChange {
  return { kind: 'run', argv, why, ...(timeoutMs === undefined ? {} : { timeoutMs }) };
}

export interface JsonChange {
  /** Null: daemon.json is right already. */
  readonly change: Extract<HostChange, { kind: 'write' }> | null;
  readonly ipMasqBefore: string | null;
}

export function jsonEdit(
  { answers, wish, problems }: Scene,
  values: Parameters<typeof mergeDaemonJson>[1],
): JsonChange {
  const path = wish.inventory.docker.daemonJson ?? inventoryDefaults.docker.daemonJson;
  const before = seenText(answers.texts, path);
  const none = { change: null, ipMasqBefore: null };
  if (Object.keys(values).length === 0) return none;
  if (before === undefined || (before.kind !== 'file' && before.kind !== 'absent')) {
    problems.push(problem('error', 'masquerade-unknown', path, `${path} could not be read as a file`, null));
    return none;
  }
  const file = readDaemonJson(before.kind === 'file' ? before.text : null);
  if (file.kind === 'refused') {
    problems.push(file.problem);
    return none;
  }
  const edit = mergeDaemonJson(file, values);
  if (edit.changes.length === 0) return none;
  const masq = edit.changes.find(({ key }) => key === 'ip-masq');
  return {
    ipMasqBefore: masq === undefined ? null : (masq.from ?? 'unset'),
    change: {
      kind: 'write',
      path,
      mode: before.kind === 'file' ? before.mode : 0o644,
      content: Buffer.from(edit.text),
      before,
      isSecret: false,
      why: edit.changes.map(({ key, from, to }) => `${key} ${from ?? 'unset'} -> ${to ?? 'unset'}`).join(', '),
    },
  };
}

export function fixStep(
  scene: Scene,
  intent: MasqueradeIntent,
  json: JsonChange['change'],
  after: readonly FrontRules[],
): NodeStep {
  const { answers, dockerService, fronts, problems, node } = scene;
  const { changes, unknown } = fileChanges(masqueradeFiles(intent, dockerService), (path) =>
    seenText(answers.texts, path),
  );
  for (const path of unknown) {
    problems.push(problem('error', 'masquerade-unknown', path, `${path} could not be read`, null));
  }
  for (const change of changes) {
    if (change.kind !== 'write' || change.before.kind !== 'file' || isWrittenByNetctl(change.before.text ?? ''))
      continue;
    problems.push(
      problem(
        'error',
        'masquerade-file-foreign',
        change.path,
        `${change.path} is there, and does not say that netctl wrote it; it is left`,
        'Move it away.',
      ),
    );
  }
  const unit = answers.units.known ? answers.units.value.get(masqueradeUnit) : undefined;
  const docker = answers.units.known ? answers.units.value.get(`${dockerService}.service`) : undefined;
  const wrote = changes.some((change) => 'path' in change && change.path.startsWith('/etc/systemd/'));
  const dropIn = masqueradeDropIn(dockerService);
  // In a new folder systemd does not say by itself that it has not read the drop-in (seen with 252).
  const isUnread = !wrote && answers.dockerUnit.known && !answers.dockerUnit.value.some(({ path }) => path === dropIn);
  const commands: HostChange[] = [];
  if (wrote || isUnread || unit?.needsReload === true || docker?.needsReload === true) {
    commands.push(run('systemd reads the units', ['systemctl', 'daemon-reload']));
  }
  const isWrong = fronts.some((front, at) => !isSameFront(front, after[at] ?? front));
  const assert = run('puts the rules right: each goes in before another goes out', [
    'sh',
    masqueradePaths.script,
    'assert',
  ]);
  if (isWrong) commands.push(assert);
  const enable = run('the rules are kept from every boot on', ['systemctl', 'enable', masqueradeUnit]);
  if (unit?.unitFileState !== 'enabled') commands.push(enable);
  const restart = run('the rules are kept from now on', ['systemctl', 'restart', masqueradeUnit]);
  if (changes.length > 0 || unit?.activeState !== 'active') commands.push(restart);
  const all = [...changes, ...(json === null ? [] : [json]), ...commands];
  const mind: string[] = [];
  if (isWrong) mind.push('connections that are open keep the address that they have until they end');
  if (json !== null && !json.why.includes('allow-direct-routing')) {
    mind.push(`Docker on ${node} is not restarted: daemon.json counts from its next start, the rules from now`);
  }
  const wasActive = unit?.activeState === 'active';
  return {
    title: 'the source address of containers',
    changes: all,
    undo: undoOf(all, { restart, enable, assert }, wasActive, fronts, after),
    mind,
  };
}

function isSameFront(one: FrontRules, other: FrontRules): boolean {
  const textOf = ({ ruleset }: FrontRules): string =>
    [...rulesOfChain(tableOf(ruleset, 'nat'), 'POSTROUTING'), ...rulesOfChain(tableOf(ruleset, 'filter'), userChain)]
      .map(({ words }) => words.join('\n'))
      .join('\n\n');
  return textOf(one) === textOf(other);
}

/** Takes each change back that was begun: the unit first, so that it does not put things right again behind us. */
function undoOf(
  all: readonly HostChange[],
  commands: Readonly<Record<'restart' | 'enable' | 'assert', HostChange>>,
  wasActive: boolean,
  before: readonly FrontRules[],
  after: readonly FrontRules[],
): readonly Undo[] {
  const undo: Undo[] = [];
  const { restart, enable, assert } = commands;
  const began = all.find(({ kind }) => kind === 'write') ?? all[0];
  if (began === undefined) return [];
  if (!wasActive && all.includes(restart)) {
    undo.push({ of: restart, change: run('takes back its start', ['systemctl', 'stop', masqueradeUnit]) });
  }
  if (all.includes(enable)) {
    undo.push({
      of: enable,
      change: run('takes back that it starts at boot', ['systemctl', 'disable', masqueradeUnit]),
    });
  }
  for (const change of [...all].reverse()) {
    if (change.kind !== 'write') continue;
    const { path, mode, content, why } = change;
    const now = { kind: 'file', sha256: sha256Of(content), mode, text: null } as const;
    undo.push({
      of: change,
      change:
        change.before.kind === 'file' && change.before.text !== null
          ? {
              kind: 'write',
              path,
              mode: change.before.mode,
              content: Buffer.from(change.before.text),
              before: now,
              isSecret: false,
              why: `takes back: ${why}`,
            }
          : { kind: 'remove', path, before: now, why: `takes back: ${why}` },
    });
  }
  const reload = all.find((change) => change.kind === 'run' && change.argv[1] === 'daemon-reload');
  if (reload !== undefined) {
    undo.push({ of: reload, change: run('systemd reads the units as they were', ['systemctl', 'daemon-reload']) });
  }
  if (all.includes(assert)) {
    before.forEach((front, at) => {
      for (const change of rulesBack(front, after[at] ?? front)) undo.push({ of: assert, change });
    });
  }
  if (wasActive && all.includes(restart))
    undo.push({ of: restart, change: { ...restart, why: 'with the script of before' } });
  return undo;
}

const putScript =
  'n=$1 p=$2 t=$3 c=$4; shift 4; "$p" -w 10 -t "$t" -C "$c" "$@" 2>/dev/null || "$p" -w 10 -t "$t" -I "$c" "$n" "$@" 2>/dev/null || "$p" -w 10 -t "$t" -I "$c" "$@"';
const takeScript =
  'p=$1 t=$2 c=$3; shift 3; while "$p" -w 10 -t "$t" -C "$c" "$@" 2>/dev/null; do "$p" -w 10 -t "$t" -D "$c" "$@" || exit; done';

/** What was taken out goes in again at its place, then what was put in goes out. Whoever did the same meanwhile is no error. */
function rulesBack(before: FrontRules, after: FrontRules): readonly HostChange[] {
  const program = before.isStandard ? 'iptables' : `iptables-${before.frontEnd}`;
  const found: HostChange[] = [];
  for (const [table, chain] of [
    ['nat', 'POSTROUTING'],
    ['filter', userChain],
  ] as const) {
    const was = rulesOfChain(tableOf(before.ruleset, table), chain);
    const is = rulesOfChain(tableOf(after.ruleset, table), chain);
    const has = (rules: readonly SavedRule[], rule: SavedRule): boolean =>
      rules.some(({ words }) => words.join('\n') === rule.words.join('\n'));
    was.forEach((rule, at) => {
      if (has(is, rule)) return;
      found.push(
        run('the rule is there again', [
          'sh',
          '-c',
          putScript,
          'sh',
          `${at + 1}`,
          program,
          table,
          chain,
          ...rule.words.slice(2),
        ]),
      );
    });
    for (const rule of is) {
      if (!has(was, rule)) {
        found.push(
          run('ours is gone again', ['sh', '-c', takeScript, 'sh', program, table, chain, ...rule.words.slice(2)]),
        );
      }
    }
  }
  return found;
}

export function containersOf({ containers }: MasqueradeAnswers): readonly string[] {
  return containers.known ? containers.value.map(({ name }) => name) : [];
}

/** Docker from 28.2 on reads `allow-direct-routing` at its start only. */
export function restartStep(scene: Scene, json: JsonChange['change']): NodeStep {
  const { answers, dockerService, node, wish } = scene;
  const service = `${dockerService}.service`;
  const seconds = wish.inventory.docker.restartTimeoutSeconds ?? inventoryDefaults.docker.restartTimeoutSeconds;
  const stops = containersOf(answers);
  const restart = run('Docker drops routed packets no more', ['systemctl', 'restart', service], seconds * 1000);
  const undo: Undo[] = [];
  if (json?.before.kind === 'file' && json.before.text !== null) {
    const { path, mode, content } = json;
    const before = { kind: 'file', sha256: sha256Of(content), mode, text: null } as const;
    undo.push(
      {
        of: restart,
        change: {
          kind: 'write',
          path,
          mode,
          content: Buffer.from(json.before.text),
          before,
          isSecret: false,
          why: 'takes the setting back',
        },
      },
      { of: restart, change: { ...restart, why: 'Docker starts with its old settings' } },
    );
  }
  return {
    title: 'Docker lets packets in that come by a route',
    oneAtATime: 'docker-restart',
    changes: [
      run('systemd counts failed starts of before no more', ['systemctl', 'reset-failed', service]),
      restart,
      { kind: 'wait', argv: ['docker', 'info'], seconds, why: 'Docker answers' },
    ],
    undo,
    mind: [
      `Docker on ${node} is restarted: it reads allow-direct-routing at its start only`,
      ...(stops.length === 0
        ? []
        : [`${stops.length} containers stop: ${stops.slice(0, 10).join(', ')}${stops.length > 10 ? ', …' : ''}`]),
    ],
  };
}

export function savedSteps(
  { answers, fronts, network, problems }: Scene,
  after: readonly FrontRules[],
): readonly NodeStep[] {
  const standard = after.find(({ isStandard }) => isStandard) ?? fronts[0];
  if (standard === undefined) return [];
  const { step, problems: more } = savedRulesStep(standard.ruleset, answers.texts, network);
  problems.push(...more);
  return step === null ? [] : [step];
}
