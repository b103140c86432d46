import type { Problem } from '../net/problem';
import { plural } from './count';
import type { Screen } from './format';
import { problemText } from './problem-line';
import { safeText } from './safe-text';
import type { Tone } from './style';
import { styler } from './style';
import { textWidthFor } from './text-width';
import { wrap } from './wrap';

const severities = ['error', 'warning', 'info'] as const satisfies readonly Problem['severity'][];
const toneOf: Readonly<Record<Problem['severity'], Tone>> = { error: 'bad', warning: 'warn', info: 'dim' };
const indent = ' '.repeat('warning  '.length);
const textLength = 1_000;
const leastColumns = 20;

/** Problems for people, worst first, and a line that counts them. Ends in `\n`; `''` when there are none. */
export async function renderProblems(problems: readonly Problem[], screen: Screen): Promise<string> {
  if (problems.length === 0) return '';
  const style = await styler(screen);
  const arrow = screen.unicode ? '→' : '->';
  const columns = Math.max(screen.columns - indent.length, leastColumns);

  let output = '';
  for (const severity of severities) {
    for (const problem of problems.filter((each) => each.severity === severity)) {
      const code = safeText(problem.code, textLength);
      const text = `${code}  ${safeText(problemText(problem), textLength)}`;
      const suggestion = problem.suggestion === null ? '' : safeText(problem.suggestion, textLength);
      const widthOf = await textWidthFor([text, suggestion]);

      const [first = '', ...others] = wrap(text, columns, widthOf);
      const coloured = first.startsWith(code) ? style.strong(code) + first.slice(code.length) : first;
      output += `${style.tone(toneOf[severity], severity)}${indent.slice(severity.length)}${coloured}\n`;
      for (const line of others) output += `${indent}${line}\n`;
      if (suggestion === '') continue;
      // A command is copied, so it is never broken into lines.
      const room = suggestion.startsWith('netctl ') ? Number.POSITIVE_INFINITY : columns - arrow.length - 1;
      for (const [index, line] of wrap(suggestion, room, widthOf, true).entries()) {
        output += `${indent}${index === 0 ? style.dim(arrow) : ' '.repeat(arrow.length)} ${line}\n`;
      }
    }
  }
  return `${output}\n${countOf(problems)}\n`;
}

function countOf(problems: readonly Problem[]): string {
  return severities
    .map((severity) => ({ severity, count: problems.filter((each) => each.severity === severity).length }))
    .filter(({ count }) => count > 0)
    .map(({ severity, count }) => plural(count, severity, severity === 'info' ? 'info' : undefined))
    .join(', ');
}
