import type { Evidence, LeaseVerdict } from '../check/lease-evidence';
import type { Api } from '../store/store';
import { plural } from './count';
import { formatDuration } from './duration';
import type { Screen } from './format';
import type { ListView } from './list';
import { safeText } from './safe-text';
import { styler, type Tone } from './style';
import { textWidthFor } from './text-width';
import { wrap } from './wrap';

/**
 * `planned`: would be taken away. `reclaimed`: is gone. `ended`: went by itself meanwhile. `conflict`: was written since, and left. `failed`: what became of it is
 * not known. `skipped`: not begun. `over-max`: proven gone, and left because enough go already. `left`: everything that is
 * not proven gone.
 */
export type ReclaimState = 'planned' | 'reclaimed' | 'ended' | 'conflict' | 'failed' | 'skipped' | 'over-max' | 'left';

export interface ReclaimItem {
  readonly subnet: string;
  readonly key: string;
  readonly revision: string;
  readonly publicIP: string | null;
  readonly node: string | null;
  /** Null when it does not expire, or when etcd did not say. */
  readonly expiresInSeconds: number | null;
  readonly verdict: LeaseVerdict;
  readonly why: string;
  readonly evidence: readonly Evidence[];
  readonly state: ReclaimState;
  readonly error: string | null;
}

/** The document of `subnets reclaim -o json`. */
export interface ReclaimDocument {
  readonly prefix: string;
  readonly api: Api;
  readonly clusterId: string;
  readonly applied: boolean;
  /** So many at most in one run. */
  readonly max: number;
  /** Leases that were looked at and live; with --dead they are not among the items. */
  readonly alive: number;
  /** Of etcd and of the look; one sentence each. */
  readonly warnings: readonly string[];
  readonly items: readonly ReclaimItem[];
}

const tones: Readonly<Record<ReclaimState, Tone>> = {
  planned: 'strong',
  reclaimed: 'good',
  ended: 'good',
  conflict: 'warn',
  failed: 'bad',
  skipped: 'warn',
  'over-max': 'warn',
  left: 'plain',
};

const said: Readonly<Record<Exclude<ReclaimState, 'left'>, string>> = {
  planned: 'proven gone, to be reclaimed',
  reclaimed: 'reclaimed, and looked at again',
  ended: 'gone: it ended by itself meanwhile',
  conflict: 'left: it was written meanwhile, so somebody has it',
  failed: 'failed',
  skipped: 'not begun',
  'over-max': 'proven gone, left for another run: --max',
};

const verdictWords: Readonly<Record<LeaseVerdict, string>> = {
  'proven-gone': 'proven gone',
  'not-proven': 'left: not proven gone',
  alive: 'left: it lives',
  kept: 'left: it is kept',
};

const marks: Readonly<Record<Evidence['speaks'], string>> = { gone: '+', alive: '-', unknown: '?' };
const evidenceTones: Readonly<Record<Evidence['speaks'], Tone>> = { gone: 'warn', alive: 'good', unknown: 'dim' };

export const reclaimListView: ListView<ReclaimItem> = {
  kind: 'SubnetReclaimList',
  name: ({ subnet, state }) =>
    state === 'planned' || state === 'reclaimed' || state === 'ended' ? subnet : `${subnet}\t${state}`,
  empty: 'No lease looks dead.',
  columns: [
    { header: 'SUBNET', cell: ({ subnet }) => subnet },
    { header: 'PUBLIC-IP', cell: ({ publicIP }) => publicIP },
    { header: 'NODE', cell: ({ node }) => node },
    {
      header: 'EXPIRES',
      cell: ({ expiresInSeconds }) => (expiresInSeconds === null ? null : formatDuration(expiresInSeconds)),
      csv: ({ expiresInSeconds }) => expiresInSeconds,
      align: 'right',
    },
    { header: 'VERDICT', cell: ({ verdict }) => verdict },
    { header: 'STATE', cell: ({ state }) => ({ text: state, tone: tones[state] }) },
    { header: 'WHY', cell: ({ why, error }) => error ?? why, shrink: true },
  ],
};

const nameColumns = 'reservation'.length;
const indent = ' '.repeat('  + '.length + nameColumns + 1);
const leastColumns = 24;
const longestText = 500;

/** For people: each lease with what becomes of it, and all evidence: + speaks for the node being gone, - against, ? is not known. */
export async function renderReclaim(document: ReclaimDocument, screen: Screen): Promise<readonly string[]> {
  const { items, alive, applied } = document;
  const style = await styler(screen);
  const columns = Math.max(screen.columns - indent.length, leastColumns);
  const output: string[] = [];
  for (const item of items) {
    const owner = [item.publicIP ?? 'no public IP', ...(item.node === null ? [] : [item.node])].join('  ');
    const word = item.state === 'left' ? verdictWords[item.verdict] : said[item.state];
    output.push(`${style.strong(safeText(item.subnet))}  ${safeText(owner)}  ${style.tone(tones[item.state], word)}\n`);
    if (item.error !== null) output.push(`  ${style.bad(safeText(item.error, longestText))}\n`);
    if (item.state === 'reclaimed' || item.state === 'ended') continue;
    for (const { name, speaks, text } of item.evidence) {
      const safe = safeText(text, longestText);
      const [first = '', ...others] = wrap(safe, columns, await textWidthFor([safe]));
      const mark = style.tone(evidenceTones[speaks], marks[speaks]);
      output.push(`  ${mark} ${name.padEnd(nameColumns)} ${first}\n`, ...others.map((line) => `${indent}${line}\n`));
    }
  }
  const count = (state: ReclaimState): number => items.filter((item) => item.state === state).length;
  const states: readonly ReclaimState[] = [
    'planned',
    'reclaimed',
    'ended',
    'conflict',
    'failed',
    'skipped',
    'over-max',
    'left',
  ];
  const parts = states.flatMap((state) => (count(state) === 0 ? [] : [`${count(state)} ${countWords[state]}`]));
  if (items.length > 0) output.push('\n');
  const living = alive === 0 ? '' : `, ${plural(alive, 'lease')} with a living node`;
  output.push(`${parts.length === 0 ? 'Nothing to reclaim' : parts.join(', ')}${living}\n`);
  if (!applied && count('planned') > 0) output.push(`+ speaks for the node being gone, - against, ? is not known\n`);
  return output;
}

const countWords: Readonly<Record<ReclaimState, string>> = {
  planned: 'to be reclaimed',
  reclaimed: 'reclaimed',
  ended: 'ended by itself',
  conflict: 'written meanwhile',
  failed: 'failed',
  skipped: 'not begun',
  'over-max': 'over --max',
  left: 'left',
};
