import type { Problem } from '../net/problem';

/** The place in front of the message, unless the message names it itself. */
export function problemText({ path, message }: Pick<Problem, 'path' | 'message'>): string {
  return path === '' || message.includes(path) ? message : `${path}: ${message}`;
}

/** A problem as one line of talk: `warning: public-address-space: Network: … → …`. Not yet harmless: `safeText` comes after. */
export function problemLine(problem: Problem): string {
  const { severity, code, suggestion } = problem;
  return `${severity === 'info' ? 'note' : severity}: ${problemText(problem)}${suggestion === null ? '' : ` -> ${suggestion}`} (${code})`;
}
