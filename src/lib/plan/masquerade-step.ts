import { ruleKey, ruleSpecification } from '../fact/iptables-save';
import type { MasqueradeAnswers } from '../fact/masquerade-facts';
import { inventoryDefaults } from '../inventory/inventory-defaults';
import { mergeDaemonJson, readDaemonJson } from '../net/json-edit';
import { overlayChain } from '../net/masquerade-rule';
import { isWrittenByNetctl } from '../net/written-by-netctl';
import { fileChanges, type HostChange, type NodeStep, seenText, sha256Of, throughLink, type Undo } from './host-change';
import {
  type JsonBefore,
  type MasqueradeIntent,
  masqueradeDropIn,
  masqueradeFiles,
  masqueradePaths,
  masqueradeUnit,
} from './masquerade-files';
import { chainRules, type FrontRules, hasChain, natRules, overlayOf, userChain, userRules } from './masquerade-rules';
import { daemonsOf, savedRulesStep } from './masquerade-save';
import { problem, type Scene } from './masquerade-scene';
import { ruleEdits } from './rule-edits';

export function run(why: string, argv: readonly [string, ...string[]], timeoutMs?: number): HostChange {
  return { kind: 'run', argv, why, ...(timeoutMs === undefined ? {} : { timeoutMs }) };
}

export interface JsonChange {
  /** Null: daemon.json is right already. */
  readonly change: Extract<HostChange, { kind: 'write' }> | null;
  readonly ipMasqBefore: JsonBefore | null;
  readonly directRoutingBefore: JsonBefore | null;
}

export function jsonEdit(
  { answers, wish, problems }: Scene,
  values: Parameters<typeof mergeDaemonJson>[1],
): JsonChange {
  const path = wish.inventory.docker.daemonJson ?? inventoryDefaults.docker.daemonJson;
  const before = throughLink(seenText(answers.texts, path));
  const none = { change: null, ipMasqBefore: null, directRoutingBefore: null };
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
  const was = (wanted: string): JsonBefore | null => {
    const found = edit.changes.find(({ key }) => key === wanted);
    if (found === undefined) return null;
    // null counts as unset; with anything else dockerd does not start.
    return found.from === 'true' || found.from === 'false' ? found.from : 'unset';
  };
  return {
    ipMasqBefore: was('ip-masq'),
    directRoutingBefore: was('allow-direct-routing'),
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
  if (changes.length > 0 || isWrong || unit?.activeState !== 'active') commands.push(restart);
  const all = [...changes, ...(json === null ? [] : [json]), ...commands];
  const mind: string[] = [];
  if (isWrong) mind.push('connections that are open keep the address that they have until they end');
  if (json !== null && !json.why.includes('allow-direct-routing')) {
    mind.push(`Docker on ${node} is not restarted: daemon.json counts from its next start, the rules from now`);
  }
  const wasActive = unit?.activeState === 'active';
  const rulesUndo = fronts.flatMap((front, at) => rulesBack(front, after[at] ?? front, waitWords(answers)));
  return {
    title: 'the source address of containers',
    changes: all,
    undo: undoOf(all, { restart, enable, assert }, wasActive, rulesUndo),
    mind,
  };
}

function isSameFront(one: FrontRules, other: FrontRules): boolean {
  const textOf = (front: FrontRules): string =>
    [...natRules(front), ...userRules(front), ...overlayOf(front)].map(ruleKey).join('\n\n');
  return textOf(one) === textOf(other);
}

/** Takes each change back that was begun: the unit first, so that it does not put things right again behind us. */
function undoOf(
  all: readonly HostChange[],
  commands: Readonly<Record<'restart' | 'enable' | 'assert', HostChange>>,
  wasActive: boolean,
  rulesUndo: readonly HostChange[],
): readonly Undo[] {
  const undo: Undo[] = [];
  const { restart, enable, assert } = commands;
  const began = all.find(({ kind }) => kind === 'write') ?? all[0];
  if (began === undefined) return [];
  if (all.includes(restart)) {
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
    undo.push({ of: change, change: writtenBack(change) });
  }
  const reload = all.find((change) => change.kind === 'run' && change.argv[1] === 'daemon-reload');
  if (reload !== undefined) {
    undo.push({ of: reload, change: run('systemd reads the units as they were', ['systemctl', 'daemon-reload']) });
  }
  if (all.includes(assert)) for (const change of rulesUndo) undo.push({ of: assert, change });
  if (wasActive && all.includes(restart))
    undo.push({ of: restart, change: { ...restart, why: 'with the script of before' } });
  return undo;
}

/**
 * In goes one more, unless as many are there already as there are to be: somebody else may have put it back meanwhile.
 * Somebody may have shortened the chain, too.
 */
const putScript = (waits: string): string =>
  `n=$1 k=$2 p=$3 t=$4 c=$5 r=$6; shift 6
[ "$("$p" ${waits} -t "$t" -S "$c" | grep -cxF -e "$r")" -lt "$k" ] || exit 0
"$p" ${waits} -t "$t" -I "$c" "$n" "$@" 2>/dev/null || "$p" ${waits} -t "$t" -I "$c" "$@"`;

/** Out go all of them. Only the exit code 1 says that there is none (more); any other is a failure of the question. */
const takeScript = (waits: string): string =>
  `p=$1 t=$2 c=$3 n=0; shift 3
while :; do
e=$("$p" ${waits} -t "$t" -C "$c" "$@" 2>&1); s=$?
[ $s -ne 1 ] || exit 0
[ $s -eq 0 ] && e=$("$p" ${waits} -t "$t" -D "$c" "$@" 2>&1) && continue
n=$((n + 1))
[ $n -lt 3 ] || { echo "$e" >&2; exit 1; }
done`;

const newChainScript = (waits: string): string =>
  `"$1" ${waits} -t filter -S "$2" >/dev/null 2>&1 || "$1" ${waits} -t filter -N "$2"`;
const noChainScript = (waits: string): string =>
  `"$1" ${waits} -t filter -S "$2" >/dev/null 2>&1 || exit 0; "$1" ${waits} -t filter -F "$2" && "$1" ${waits} -t filter -X "$2"`;

/** What was taken out goes in again at its place, then what was put in goes out. Whoever did the same meanwhile is no error. */
function rulesBack(before: FrontRules, after: FrontRules, waits: readonly string[]): readonly HostChange[] {
  const program = programOf(before);
  const wait = waits.join(' ');
  const edits = (table: string, chain: string): readonly HostChange[] =>
    ruleEdits(chainRules(after, table, chain), chainRules(before, table, chain)).map((edit) => {
      const words = ruleSpecification(edit.rule);
      if (edit.kind === 'delete')
        return run('ours is gone again', ['sh', '-c', takeScript(wait), 'sh', program, table, chain, ...words]);
      const { number, count, rule } = edit;
      const text = rule.text.trimEnd();
      const place = [String(number), String(count), program, table, chain, text];
      return run('the rule is there again', ['sh', '-c', putScript(wait), 'sh', ...place, ...words]);
    });
  const [had, has] = [before, after].map(({ ruleset }) => hasChain(ruleset, 'filter', overlayChain));
  const chain = ['sh', program, overlayChain] as const;
  return [
    ...(had === true && has !== true
      ? [run('our chain is there again', ['sh', '-c', newChainScript(wait), ...chain])]
      : []),
    ...(had === true ? edits('filter', overlayChain) : []),
    ...edits('nat', 'POSTROUTING'),
    ...edits('filter', userChain),
    ...(had !== true && has === true
      ? [run('our chain is gone again', ['sh', '-c', noChainScript(wait), ...chain])]
      : []),
  ];
}

/** The program whose rules these are. */
export function programOf({ isStandard, frontEnd }: FrontRules): string {
  return isStandard ? 'iptables' : `iptables-${frontEnd}`;
}

/** How iptables is told to wait for others who change rules: -w came with 1.4.20, and takes a number of seconds from 1.6.0 on. */
export function waitWords({ iptables }: MasqueradeAnswers): readonly string[] {
  if (!iptables.known || !iptables.value.waitsForLock) return [];
  const [major = 0, minor = 0] = (iptables.value.version ?? '').split('.').map(Number);
  return major > 1 || minor >= 6 ? ['-w', '10'] : ['-w'];
}

type Write = Extract<HostChange, { kind: 'write' }>;

/** A file as it was before we wrote it. @param bytes of that file, where its text may not say all */
export function writtenBack({ path, mode, content, before, why }: Write, bytes: Uint8Array | null = null): HostChange {
  const now = { kind: 'file', sha256: sha256Of(content), mode, text: null } as const;
  if (before.kind !== 'file' || (before.text === null && bytes === null)) {
    return { kind: 'remove', path, before: now, why: `takes back: ${why}` };
  }
  const was = bytes ?? Buffer.from(before.text ?? '');
  return {
    kind: 'write',
    path,
    mode: before.mode,
    content: was,
    before: now,
    isSecret: false,
    why: `takes back: ${why}`,
  };
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
  const reset = run('systemd counts failed starts of before no more', ['systemctl', 'reset-failed', service]);
  const undo: Undo[] =
    json === null
      ? []
      : [writtenBack(json), reset, { ...restart, why: 'Docker starts with its old settings' }].map((change) => ({
          of: restart,
          change,
        }));
  return {
    title: 'Docker lets packets in that come by a route',
    oneAtATime: 'docker-restart',
    changes: [reset, restart, { kind: 'wait', argv: ['docker', 'info'], seconds, why: 'Docker answers' }],
    undo,
    mind: [
      `Docker on ${node} is restarted: it reads allow-direct-routing at its start only`,
      ...(stops.length === 0
        ? []
        : [`${stops.length} containers stop: ${stops.slice(0, 10).join(', ')}${stops.length > 10 ? ', …' : ''}`]),
    ],
  };
}

/** Writes the file of rules that is loaded at boot; `undo` puts back the one that was there. */
export function savedSteps(
  { answers, fronts, network, wish, problems }: Scene,
  after: readonly FrontRules[],
): { readonly steps: readonly NodeStep[]; readonly undo: readonly HostChange[] } {
  const standard = after.find(({ isStandard }) => isStandard) ?? fronts[0];
  if (standard === undefined) return { steps: [], undo: [] };
  const daemons = daemonsOf(answers, wish.inventory, network);
  const { step, problems: more } = savedRulesStep(standard.ruleset, answers.texts, network, daemons);
  problems.push(...more);
  if (step === null) return { steps: [], undo: [] };
  const undo = step.changes.flatMap((change): readonly HostChange[] => {
    if (change.kind !== 'write') return [];
    const fact = answers.texts.known ? answers.texts.value.get(change.path) : undefined;
    return [writtenBack(change, fact?.known === true && fact.value.present ? fact.value.bytes : null)];
  });
  return { steps: [step], undo };
}
