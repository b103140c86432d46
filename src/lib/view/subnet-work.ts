import type { Problem } from '../net/problem';
import type { Change } from '../plan/change';
import type { SubnetWork } from '../plan/subnet-work';
import type { Api } from '../store/store';
import { plural } from './count';
import { formatDuration } from './duration';
import type { Screen } from './format';
import type { ListView } from './list';
import { reasonOf, type StepReport } from './node-bootstrap';
import { problemLine } from './problem-line';
import { safeText } from './safe-text';
import { styler, type Tone } from './style';
import { textWidthFor } from './text-width';
import { wrap } from './wrap';

/** A change in etcd in the words of the public document. */
export interface KeyChangeReport {
  readonly kind: Change['kind'];
  readonly key: string;
  /** What is written; null for a delete, and for bytes that are no text. */
  readonly value: string | null;
  /** Seconds to live; `keep` leaves it as it is, null: none. */
  readonly ttlSeconds: number | 'keep' | null;
  readonly why: string;
}

/** One subnet with what is or was to be done about it. */
export interface SubnetWorkReport {
  readonly subnet: string;
  readonly publicIP: string | null;
  readonly node: string | null;
  readonly state: 'planned' | 'unchanged' | 'done' | 'failed' | 'blocked';
  /** What is done on the node, before and after the keys are written. */
  readonly before: readonly StepReport[];
  readonly changes: readonly KeyChangeReport[];
  readonly after: readonly StepReport[];
  readonly problems: readonly Problem[];
  readonly error: string | null;
}

/** The document of `subnets reserve`, `unreserve`, `mend`, `rehome` and `release` with `-o json`. */
export interface SubnetWorkDocument {
  readonly prefix: string;
  readonly api: Api;
  readonly applied: boolean;
  readonly items: readonly SubnetWorkReport[];
}

export function subnetWorkReport(
  work: SubnetWork & { readonly before?: readonly StepReport[]; readonly after?: readonly StepReport[] },
  state: SubnetWorkReport['state'],
  error?: unknown,
): SubnetWorkReport {
  const { subnet, publicIP, node, problems } = work;
  return {
    subnet,
    publicIP,
    node,
    state,
    before: work.before ?? [],
    changes: work.changes.map(keyChange),
    after: work.after ?? [],
    problems,
    error: reasonOf(error),
  };
}

function keyChange(change: Change): KeyChangeReport {
  const { kind, key, why } = change;
  if (change.kind === 'delete') return { kind, key, value: null, ttlSeconds: null, why };
  return { kind, key, value: textOf(change.value), ttlSeconds: change.ttlSeconds ?? null, why };
}

function textOf(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

const tones: Readonly<Record<SubnetWorkReport['state'], Tone>> = {
  planned: 'strong',
  unchanged: 'good',
  done: 'good',
  failed: 'bad',
  blocked: 'bad',
};

/** Of one item, for people. */
const shownChanges = 8;

const said: Readonly<Record<SubnetWorkReport['state'], string>> = {
  planned: 'to do',
  unchanged: 'unchanged',
  done: 'done, and looked at again',
  failed: 'failed',
  blocked: 'nothing is done here',
};

export function subnetWorkListView(empty: string): ListView<SubnetWorkReport> {
  return {
    kind: 'SubnetWorkList',
    name: ({ subnet }) => subnet,
    empty,
    columns: [
      { header: 'SUBNET', cell: ({ subnet }) => subnet },
      { header: 'PUBLIC IP', cell: ({ publicIP }) => publicIP },
      { header: 'NODE', cell: ({ node }) => node },
      { header: 'STATE', cell: ({ state }) => ({ text: state, tone: tones[state] }) },
      { header: 'CHANGES', cell: ({ changes }) => changes.length, align: 'right' },
      { header: 'PROBLEMS', cell: ({ problems }) => problems.map(({ code }) => code).join(','), shrink: true },
      { header: 'ERROR', cell: ({ error }) => error, shrink: true },
    ],
  };
}

/** For people: each subnet with its state, and what is or was to be done. */
export async function renderSubnetWork(
  { items, prefix }: SubnetWorkDocument,
  screen: Screen,
  empty: string,
): Promise<readonly string[]> {
  if (items.length === 0) return [`${safeText(empty)}\n`];
  const style = await styler(screen);
  const output: string[] = [];
  for (const item of items) {
    const owner = [item.publicIP, item.node].filter((word) => word !== null).join(' ');
    output.push(
      `${style.strong(safeText(item.subnet))}  ${safeText(owner === '' ? '-' : owner)}  ${style.tone(tones[item.state], said[item.state])}\n`,
    );
    if (item.error !== null) output.push(`  ${style.bad(safeText(item.error))}\n`);
    for (const problem of item.problems) {
      const tone = problem.severity === 'error' ? 'bad' : problem.severity === 'warning' ? 'warn' : 'dim';
      const text = safeText(problemLine({ ...problem, suggestion: null }), 1_000);
      const widthOf = await textWidthFor([text]);
      const lines = wrap(text, Math.max(screen.columns - 4, 40), widthOf, true);
      for (const [index, line] of lines.entries()) {
        output.push(`  ${index === 0 ? '' : '  '}${style.tone(tone, line)}\n`);
      }
      // It is copied, so it is never broken into lines.
      if (problem.suggestion !== null) {
        output.push(`    ${screen.unicode ? '→' : '->'} ${safeText(problem.suggestion, 1_000)}\n`);
      }
    }
    if (item.state === 'done' || item.state === 'unchanged' || item.state === 'blocked') continue;
    const step = ({ title, mind, changes }: StepReport): void => {
      output.push(`  ${safeText(title)}\n`);
      for (const line of mind) output.push(`    ${style.warn(safeText(line))}\n`);
      for (const { kind, what, why } of changes) {
        output.push(`    ${kind.padEnd(6)} ${safeText(what, 300)}  ${style.dim(safeText(why))}\n`);
      }
    };
    for (const each of item.before) step(each);
    if (item.before.length + item.after.length > 0 && item.changes.length > 0) output.push('  etcd\n');
    for (const { kind, key, value, ttlSeconds, why } of item.changes.slice(0, shownChanges)) {
      output.push(`    ${kind.padEnd(6)} ${safeText(key, 300)}  ${style.dim(safeText(why, 300))}\n`);
      // Of netctl's own records the reason says enough.
      if (kind === 'put' && key.startsWith(`${prefix}/`)) {
        const time =
          ttlSeconds === null
            ? ''
            : ttlSeconds === 'keep'
              ? '  (its TTL stays)'
              : `  (TTL ${formatDuration(ttlSeconds)})`;
        output.push(`           ${safeText(value ?? 'bytes that are no text', 300)}${style.dim(time)}\n`);
      }
    }
    if (item.changes.length > shownChanges) {
      const more = item.changes.length - shownChanges;
      output.push(`    ${style.dim(`… ${plural(more, 'more change')}; -o json has them all`)}\n`);
    }
    for (const each of item.after) step(each);
  }
  const states = ['planned', 'done', 'unchanged', 'failed', 'blocked'] as const;
  const parts = states.flatMap((state) => {
    const count = items.filter((item) => item.state === state).length;
    return count === 0 ? [] : [`${count} ${state}`];
  });
  output.push(`\n${plural(items.length, 'subnet')}: ${parts.join(', ')}\n`);
  return output;
}
