import { plural } from './count';
import { renderDiff } from './diff';
import type { Screen } from './format';
import type { ListView } from './list';
import type { BootstrapDocument, NodeReport } from './node-bootstrap';
import { problemLine } from './problem-line';
import { safeText } from './safe-text';
import { styler, type Tone } from './style';

/** Lines of a new file that a person is shown, with the three of the head. */
const newFileLines = 24;

const tones: Readonly<Record<NodeReport['state'], Tone>> = {
  planned: 'strong',
  unchanged: 'good',
  done: 'good',
  failed: 'bad',
  skipped: 'warn',
  blocked: 'bad',
  unreachable: 'bad',
};

const said: Readonly<Record<Exclude<NodeReport['state'], 'unchanged'>, string>> = {
  planned: 'to do',
  done: 'done, and looked at again',
  failed: 'failed',
  skipped: 'not begun: too many others failed',
  blocked: 'nothing is done here',
  unreachable: 'could not be asked',
};

export const nodeBootstrapListView: ListView<NodeReport> = {
  kind: 'NodeBootstrapList',
  name: ({ name }) => name,
  empty: 'No nodes.',
  columns: [
    { header: 'NODE', cell: ({ name }) => name },
    { header: 'STATE', cell: ({ state }) => ({ text: state, tone: tones[state] }) },
    { header: 'SUBNET', cell: ({ subnet }) => subnet },
    {
      header: 'CHANGES',
      cell: ({ steps }) => steps.reduce((sum, { changes }) => sum + changes.length, 0),
      align: 'right',
    },
    { header: 'ERROR', cell: ({ error }) => error, shrink: true },
  ],
};

/** For people: each node with its state, what is or was to be done, and differences when wanted. */
export function renderBootstrap(
  document: BootstrapDocument,
  screen: Screen,
  withDifferences: boolean,
): Promise<readonly string[]> {
  return renderNodes(document.items, screen, { withDifferences, unchanged: 'unchanged: all is as it should be' });
}

/** Nodes with what is or was to be done on them. */
export async function renderNodes<Report extends NodeReport>(
  items: readonly Report[],
  screen: Screen,
  options: {
    readonly withDifferences: boolean;
    readonly unchanged: string;
    /** Lines about a node between its problems and what is done there. */
    readonly about?: (node: Report) => Promise<readonly string[]>;
  },
): Promise<readonly string[]> {
  const style = await styler(screen);
  const words = { ...said, unchanged: options.unchanged };
  const output: string[] = [];
  for (const node of items) {
    const subnet = node.subnet === null ? '' : `  ${node.subnet}`;
    output.push(`${style.strong(safeText(node.name))}${subnet}  ${style.tone(tones[node.state], words[node.state])}\n`);
    if (node.error !== null) output.push(`  ${style.bad(safeText(node.error))}\n`);
    for (const problem of node.problems) {
      output.push(`  ${style.tone(problem.severity === 'error' ? 'bad' : 'warn', safeText(problemLine(problem)))}\n`);
    }
    if (options.about !== undefined) output.push(...(await options.about(node)));
    if (node.state === 'done' || node.state === 'unchanged') continue;
    for (const step of node.steps) {
      output.push(`  ${safeText(step.title)}\n`);
      for (const line of step.mind) output.push(`    ${style.warn(safeText(line))}\n`);
      for (const change of step.changes) {
        output.push(`    ${change.kind.padEnd(6)} ${safeText(change.what, 300)}  ${style.dim(safeText(change.why))}\n`);
        if (options.withDifferences && change.before !== null && change.after !== null) {
          const difference = await renderDiff(change.before, change.after, screen, { label: change.what });
          const lines = difference.split('\n').filter((line) => line !== '');
          // A file that comes or goes is told by its beginning. What changes in one that stays is shown whole.
          const shown = change.before === '' || change.after === '' ? lines.slice(0, newFileLines) : lines;
          for (const line of shown) output.push(`      ${line}\n`);
          if (shown.length < lines.length) {
            output.push(
              `      ${style.dim(`… ${plural(lines.length - shown.length, 'more line')}; -o json has them all`)}\n`,
            );
          }
        }
      }
    }
  }
  const count = (state: NodeReport['state']) => items.filter((node) => node.state === state).length;
  const parts = (Object.keys(words) as NodeReport['state'][]).flatMap((state) =>
    count(state) === 0 ? [] : [`${count(state)} ${state}`],
  );
  output.push(`\n${plural(items.length, 'node')}: ${parts.join(', ')}\n`);
  return output;
}
