import { formatCidr } from '../net/cidr';
import type { Carried, PathName } from '../plan/masquerade-paths';
import type { ChainChange, MasqueradeMethod, MasqueradePlan, PathChange } from '../plan/masquerade-scene';
import { renderDiff } from './diff';
import type { Screen } from './format';
import type { ListView } from './list';
import { type LostNode, type NodeReport, reasonOf, stepReport, unreachableReport } from './node-bootstrap';
import { nodeBootstrapListView, renderNodes } from './node-bootstrap-text';
import { safeText } from './safe-text';
import { styler, type Tone } from './style';
import { renderTable } from './table';

/** What arrived at another node, before and after the change; `NodeProof` of the probe. */
export interface ProofReport {
  readonly verdict: 'proved' | 'failed' | 'unknown';
  readonly why: string;
  readonly ways: readonly {
    readonly to: string;
    readonly sender: string | null;
    readonly before: string | null;
    readonly after: string | null;
  }[];
  readonly outside: {
    readonly address: string;
    readonly before: boolean | null;
    readonly after: boolean | null;
  } | null;
}

export interface MasqueradeReport extends NodeReport {
  readonly network: string | null;
  readonly method: MasqueradeMethod | null;
  /** Why this method. */
  readonly reason: string;
  readonly paths: readonly PathChange[];
  readonly chains: readonly ChainChange[];
  /** Null: nothing was changed, or nobody asked for a proof. */
  readonly proof: ProofReport | null;
}

/** The document of `fix-masquerade -o json`. */
export interface MasqueradeDocument {
  readonly applied: boolean;
  readonly items: readonly MasqueradeReport[];
}

export function masqueradeReport(
  plan: MasqueradePlan,
  state: NodeReport['state'],
  proof: ProofReport | null = null,
  error?: unknown,
): MasqueradeReport {
  const { node, network, method, reason, bridges, paths, chains, steps, problems } = plan;
  return {
    name: node,
    state,
    subnet: bridges.length === 0 ? null : bridges.map(({ subnet }) => formatCidr(subnet)).join(', '),
    network,
    method,
    reason,
    paths,
    chains,
    steps: steps.map(stepReport),
    problems,
    proof,
    error: reasonOf(error),
  };
}

export function lostReport(lost: LostNode): MasqueradeReport {
  return {
    ...unreachableReport(lost),
    network: null,
    method: null,
    reason: '',
    paths: [],
    chains: [],
    proof: null,
  };
}

/** Is a node as it should be? Warnings about what is mended do not count once nothing is left to do. */
export function isWrong({ state, problems }: MasqueradeReport): boolean {
  if (state !== 'unchanged' && state !== 'done') return true;
  return problems.some(({ code }) => stillWrong.has(code));
}

const stillWrong: ReadonlySet<string> = new Set([
  'docker-drops-overlay',
  'forward-policy-drop',
  'no-bridge-in-network',
  'no-nat-outside',
  'overlay-dropped',
  'source-unknown',
]);

const base = nodeBootstrapListView;

export const masqueradeListView: ListView<MasqueradeReport> = {
  kind: 'FixMasqueradeList',
  name: base.name,
  empty: base.empty,
  columns: [
    ...base.columns.filter(({ header }) => header === 'NODE' || header === 'STATE' || header === 'SUBNET'),
    { header: 'NETWORK', cell: ({ network }) => network },
    { header: 'METHOD', cell: ({ method }) => method },
    { header: 'NOW', cell: ({ paths }) => arrives(paths, 'before') },
    { header: 'THEN', cell: ({ paths }) => arrives(paths, 'after') },
    { header: 'PROOF', cell: ({ proof }) => proof?.verdict },
    ...base.columns.filter(({ header }) => header === 'CHANGES' || header === 'ERROR'),
  ],
};

function arrives(paths: readonly PathChange[], when: 'before' | 'after'): string | null {
  const found = paths.find(({ path }) => path === 'container-to-container');
  return found === undefined ? null : carriedText(found[when]);
}

const pathTexts: Readonly<Record<PathName, string>> = {
  'container-to-container': 'container to one of another node',
  'container-to-internet': 'container to the outside',
  'remote-to-container': 'container of another node to one here',
  'host-to-container': 'this host to a container of another node',
};

function carriedText({ kind, address }: Carried): string {
  switch (kind) {
    case 'kept':
    case 'changed':
      return address ?? 'the node';
    case 'dropped':
    case 'unknown':
      return kind;
    default:
      return kind satisfies never;
  }
}

function toneOf(path: PathName, { kind }: Carried): Tone {
  if (kind === 'dropped' || kind === 'unknown') return 'bad';
  if (path === 'container-to-container') return kind === 'kept' ? 'good' : 'bad';
  if (path === 'container-to-internet') return kind === 'kept' ? 'bad' : 'plain';
  return 'plain';
}

/** For people: each node with the four ways, the rules as they stand and will be, what is done, and what was proved. */
export function renderFixMasquerade(
  document: MasqueradeDocument,
  screen: Screen,
  withDifferences: boolean,
): Promise<readonly string[]> {
  return renderNodes(document.items, screen, {
    withDifferences,
    unchanged: 'unchanged: nothing to do',
    about: (node) => about(node, screen, withDifferences),
  });
}

async function about(node: MasqueradeReport, screen: Screen, withDifferences: boolean): Promise<readonly string[]> {
  const style = await styler(screen);
  const lines: string[] = [];
  if (node.method !== null && node.state !== 'unchanged') {
    lines.push(`  method ${node.method}: ${safeText(node.reason, 300)}\n`);
  }
  const isOver = node.state === 'unchanged' || node.state === 'done';
  const bridges = new Set(node.paths.map(({ bridge }) => bridge));
  if (node.paths.length > 0) {
    const { lines: table } = await renderTable(
      node.paths,
      [
        ...(bridges.size > 1 ? [{ header: 'BRIDGE', cell: ({ bridge }: PathChange) => bridge }] : []),
        { header: 'A PACKET FROM', cell: ({ path }) => pathTexts[path] },
        ...(node.state === 'unchanged'
          ? [
              {
                header: 'ARRIVES FROM',
                cell: ({ path, before }: PathChange) => ({ text: carriedText(before), tone: toneOf(path, before) }),
              },
            ]
          : [
              {
                header: isOver ? 'ARRIVED FROM' : 'ARRIVES FROM',
                cell: ({ path, before }: PathChange) => ({ text: carriedText(before), tone: toneOf(path, before) }),
              },
              {
                header: isOver ? 'NOW' : 'THEN',
                cell: ({ path, after }: PathChange) => ({ text: carriedText(after), tone: toneOf(path, after) }),
              },
            ]),
      ],
      { ...screen, columns: screen.columns - 2 },
      { wide: false },
    );
    for (const line of table) lines.push(`  ${line}`);
  }
  if (withDifferences && !isOver) {
    for (const { program, table, chain, before, after } of node.chains) {
      const difference = await renderDiff(before.join('\n'), after.join('\n'), screen, {
        label: `${program} ${table} ${chain}`,
      });
      for (const line of difference.split('\n')) if (line !== '') lines.push(`  ${line}\n`);
    }
  }
  if (node.proof !== null) {
    const { verdict, why, ways, outside } = node.proof;
    const tone = verdict === 'proved' ? 'good' : verdict === 'failed' ? 'bad' : 'warn';
    lines.push(`  ${style.tone(tone, safeText(`proof: ${verdict}${why === '' ? '' : `, ${why}`}`, 400))}\n`);
    for (const { to, sender, before, after } of ways) {
      const was = before === null || before === after ? '' : `, before ${before}`;
      lines.push(
        `    ${safeText(`${to} sees ${after ?? 'nothing'}${was}${sender === null ? '' : ` (sent by ${sender})`}`, 300)}\n`,
      );
    }
    if (outside !== null && outside.after !== null) {
      lines.push(
        `    ${safeText(`${outside.address} outside ${outside.after ? 'answers' : 'does not answer'}${outside.before === outside.after ? ', as before' : ''}`, 300)}\n`,
      );
    }
  }
  return lines;
}
