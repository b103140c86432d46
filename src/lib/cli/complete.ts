import type { ArgInfo, CommandInfo, FlagInfo, Program } from './program';
import { commandOf, findTarget, isTopic, oneLine, spellings, visibleCommands } from './program';

export interface Candidate {
  readonly value: string;
  readonly description: string;
}

/** What may stand where the cursor is: words that we know, or values that somebody has to look up (`node`, `file`, `code`). */
export type Completion =
  | { readonly kind: 'words'; readonly candidates: readonly Candidate[] }
  | { readonly kind: 'values'; readonly of: string; readonly prefix: string; readonly typed: string };

const nothing: Completion = { kind: 'words', candidates: [] };

/**
 * @param typed the words after `netctl` up to the cursor; the last one is being typed and may be empty.
 * bash hands `--output=js` over as three words, zsh and fish as one: both are understood.
 */
export function complete(program: Pick<Program, 'commands' | 'topics'>, typed: readonly string[]): Completion {
  const words = typed[0] === 'help' && typed.length > 1 ? typed.slice(1) : typed;
  const current = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  const target = findTarget(program, before);
  if (target.kind === 'unknown') return nothing;
  if (target.kind === 'topic')
    return named(nextWords(program, target.topic, before.length === 0 && words === typed), current);
  // `network` may be a command and the topic of `network show` too.
  const further =
    target.rest.length === 0 && isTopic(program, target.command.id) && !current.startsWith('-')
      ? nextWords(program, target.command.id, false)
      : [];
  if (further.length > 0) return named(further, current);
  if (words !== typed) return nothing;
  return inCommand(target.command, target.rest, current);
}

function nextWords(
  program: Pick<Program, 'commands' | 'topics'>,
  topic: string,
  withHelp: boolean,
): readonly Candidate[] {
  const start = topic === '' ? '' : `${topic}:`;
  const found = new Map<string, string>();
  for (const command of visibleCommands(program)) {
    if (!command.id.startsWith(start)) continue;
    const [word = '', ...more] = command.id.slice(start.length).split(':');
    const id = `${start}${word}`;
    if (more.length === 0) found.set(word, oneLine(command));
    else if (!found.has(word)) {
      const own = commandOf(program, id);
      found.set(word, program.topics[id] ?? (own === undefined ? '' : oneLine(own)));
    }
  }
  if (withHelp) found.set('help', 'Say more about a command');
  return Array.from(found, ([value, description]) => ({ value, description }));
}

function inCommand(command: CommandInfo, rest: readonly string[], current: string): Completion {
  const flags = Object.values(command.flags).filter(({ hidden }) => hidden !== true);
  const given = read(flags, rest);
  if (given.open !== undefined) {
    const value = given.opensWithEqualsSign && current === '=' ? '' : current;
    return valuesOf(given.open, '', value);
  }
  if (!given.onlyArguments && current.startsWith('-')) {
    const [name = '', value] = current.split(/=(.*)/s);
    const flag = flags.find((flag) => flag.type === 'option' && spellings(flag).includes(name));
    if (flag !== undefined && value !== undefined) return valuesOf(flag, `${name}=`, value);
    return named(flagWords(flags, given.names), current);
  }
  const args = Object.values(command.args).filter(({ hidden }) => hidden !== true);
  const last = args.at(-1);
  const arg = args[given.argumentCount] ?? (last?.multiple === true ? last : undefined);
  return arg === undefined ? named(flagWords(flags, given.names), current) : valuesOf(arg, '', current);
}

interface Given {
  readonly names: ReadonlySet<string>;
  readonly argumentCount: number;
  /** The flag whose value comes next. */
  readonly open: FlagInfo | undefined;
  readonly opensWithEqualsSign: boolean;
  readonly onlyArguments: boolean;
}

function read(flags: readonly FlagInfo[], rest: readonly string[]): Given {
  const names = new Set<string>();
  let argumentCount = 0;
  let open: FlagInfo | undefined;
  let opensWithEqualsSign = true;
  let onlyArguments = false;
  for (const word of rest) {
    if (open !== undefined) {
      // bash: `--output`, `=`, `json`.
      if (word === '=' && opensWithEqualsSign) opensWithEqualsSign = false;
      else open = undefined;
    } else if (onlyArguments || word === '-' || !word.startsWith('-')) {
      argumentCount += 1;
    } else if (word === '--') {
      onlyArguments = true;
    } else {
      const [name = ''] = word.split('=');
      const flag = flags.find((flag) => spellings(flag).includes(name));
      if (flag === undefined) continue;
      names.add(flag.name);
      if (flag.type === 'option' && !word.includes('=')) {
        open = flag;
        opensWithEqualsSign = true;
      }
    }
  }
  return { names, argumentCount, open, opensWithEqualsSign, onlyArguments };
}

function flagWords(flags: readonly FlagInfo[], given: ReadonlySet<string>): readonly Candidate[] {
  return flags
    .filter((flag) => flag.multiple === true || !given.has(flag.name))
    .filter((flag) => !(flag.exclusive ?? []).some((other) => typeof other === 'string' && given.has(other)))
    .flatMap((flag) =>
      spellings(flag)
        .filter((spelling) => spelling.startsWith('--'))
        .map((value) => ({ value, description: flag.summary ?? flag.description ?? '' })),
    );
}

function valuesOf(thing: FlagInfo | ArgInfo, prefix: string, typed: string): Completion {
  if (thing.options !== undefined) {
    const candidates = thing.options.map((option) => ({ value: `${prefix}${option}`, description: '' }));
    return named(candidates, `${prefix}${typed}`);
  }
  const help = 'helpValue' in thing && typeof thing.helpValue === 'string' ? thing.helpValue : undefined;
  // `FILE|-`, `<file>` and the argument `file` are all files; a list (`URL,…`) is of no kind that we know.
  const of = (help ?? ('type' in thing ? '' : thing.name)).toLowerCase().replaceAll(/[<>[\]]|\|.*/g, '');
  return { kind: 'values', of, prefix, typed };
}

function named(candidates: readonly Candidate[], current: string): Completion {
  return { kind: 'words', candidates: candidates.filter(({ value }) => value.startsWith(current)) };
}
