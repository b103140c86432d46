import type { Candidate } from './complete';
import { complete } from './complete';
import type { Program } from './program';

/** What `__complete` prints instead of candidates when the shell's own file names are wanted. */
const filesWanted = ':file';
// Values from files end up on somebody's command line, unquoted in bash: nothing that a shell would act on.
const harmless = /^[\w.:/@%+,-]+$/;

/** `netctl __complete -- WORDS…`: a candidate a line, its description after a tab. Never fails: a shell must not see an error. */
export async function completeLine(program: Program, argv: readonly string[]): Promise<string> {
  const words = argv[0] === '--' ? argv.slice(1) : argv;
  const completion = complete(program, words);
  if (completion.kind === 'words') return linesOf(completion.candidates);
  if (completion.of === 'file') return `${filesWanted}\n`;
  const { valuesFor } = await import('./complete-values');
  const values = await valuesFor(completion.of, words).catch(() => []);
  return linesOf(
    values
      .filter(({ value }) => harmless.test(value) && value.startsWith(completion.typed))
      .map(({ value, description }) => ({ value: `${completion.prefix}${value}`, description })),
  );
}

function linesOf(candidates: readonly Candidate[]): string {
  return candidates.map(({ value, description }) => `${value}\t${description.replaceAll(/\s+/g, ' ')}\n`).join('');
}
