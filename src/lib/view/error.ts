import { exitCodes, NetctlError } from '../errors';
import type { Screen } from './format';
import { safeJson, safeText } from './safe-text';
import type { Style } from './style';
import { styler } from './style';
import { textWidthFor } from './text-width';
import { wrap } from './wrap';

const textLength = 4_000;

/**
 * Anything that was thrown, as text that ends in `\n`. What is no `NetctlError` is a bug of ours, and says so.
 *
 * @param options.json the public document `{apiVersion, kind: 'Error', code, exit, message, details, next}`
 * @param options.debug show stacks and causes (`NETCTL_DEBUG`)
 */
export async function renderError(
  error: unknown,
  screen: Screen,
  options: { readonly json: boolean; readonly debug?: boolean },
): Promise<string> {
  const shown = error instanceof NetctlError ? foreseen(error) : bug(error);
  const stack = options.debug === true ? stackOf(error) : [];
  if (options.json) {
    return `${safeJson({ apiVersion: 'netctl/v1', kind: 'Error', ...shown, details: [...shown.details, ...stack] }, 2)}\n`;
  }
  return forPeople(shown, stack, screen, await styler(screen));
}

interface ShownError {
  readonly code: string;
  readonly exit: number;
  readonly message: string;
  readonly details: readonly string[];
  readonly next: readonly string[];
}

function foreseen({ code, exit, message, details, next }: NetctlError): ShownError {
  return { code, exit, message, details, next };
}

function bug(error: unknown): ShownError {
  return {
    code: 'bug',
    exit: exitCodes.bug,
    message: `this is a bug in netctl, not a mistake of yours: ${messageOf(error)}`,
    details: [],
    next: ['run it again with NETCTL_DEBUG=1 and report what it prints, with the command and netctl --version'],
  };
}

async function forPeople(
  { code, message, details, next }: ShownError,
  stack: readonly string[],
  screen: Screen,
  style: Style,
): Promise<string> {
  const safe = (text: string): string => safeText(text, textLength);
  const widthOf = await textWidthFor([message, ...details, ...next, ...stack].map(safe));
  const lines: string[] = [];
  const add = (text: string, before: string, after: string): void => {
    const columns = Math.max(screen.columns - before.length, 20);
    for (const [index, line] of wrap(safe(text), columns, widthOf, true).entries()) {
      lines.push(`${index === 0 ? before : after}${line}`);
    }
  };

  add(message, 'netctl: ', ' '.repeat('netctl: '.length));
  if (lines[0] !== undefined) lines[0] = lines[0].replace('netctl:', style.bad('netctl:'));
  for (const detail of details) add(detail, '  ', '    ');
  if (next.length > 0) {
    lines.push(style.strong('Next:'));
    // Commands are copied, so they are never broken into lines.
    for (const each of next) lines.push(`  ${safe(each)}`);
  }
  for (const line of stack) lines.push(style.dim(safe(line)));
  const name = safe(code);
  lines.push(style.dim(`(${name}; netctl explain ${name})`));
  return `${lines.join('\n')}\n`;
}

/** Whatever can be thrown, even an object that throws when it is turned into text. */
function messageOf(error: unknown): string {
  try {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  } catch {
    return 'something that has no text was thrown';
  }
}

function stackOf(error: unknown): readonly string[] {
  const lines: string[] = [];
  let current = error;
  // A chain of causes can be a circle.
  for (let depth = 0; depth < 8 && current instanceof Error; depth++) {
    const text = typeof current.stack === 'string' ? current.stack : messageOf(current);
    lines.push(...`${depth === 0 ? '' : 'caused by '}${text}`.split('\n'));
    if (current instanceof AggregateError) lines.push(...current.errors.map((each) => `  of ${messageOf(each)}`));
    current = current.cause;
  }
  return lines;
}
