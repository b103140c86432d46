import { lengthAsWidth } from '../view/text-width';
import { wrap as wrapWords } from '../view/wrap';
import type { ArgInfo, CommandInfo, FlagInfo, Program } from './program';
import { oneLine, spoken, visibleCommands } from './program';

type HelpProgram = Pick<Program, 'commands' | 'topics' | 'version' | 'description'>;

export interface HelpLook {
  /** Cells in a line; long texts are wrapped to it. */
  readonly columns: number;
  readonly strong: (text: string) => string;
}

type Row = readonly [left: string, right: string];

// Lines longer than this are hard to read, however wide the terminal is; in a pipe there is no width at all.
const widest = 100;
const narrowest = 40;

/** `netctl`: commands and topics, one line each. */
export function rootHelp(program: HelpProgram, look: HelpLook): string {
  const commands = visibleCommands(program).filter(({ id }) => !id.includes(':'));
  return page([
    [`netctl ${program.version}: ${program.description}`],
    section('USAGE', look, ['netctl COMMAND [ARGUMENTS] [FLAGS]']),
    section('COMMANDS', look, list(commands.map(commandRow), look)),
    section('TOPICS', look, list(topicRows(program, ''), look)),
    wrap('netctl help COMMAND says more. netctl explain CODE tells what an error or a problem means.', look, ''),
  ]);
}

/** `netctl network`: the commands of a topic. */
export function topicHelp(program: HelpProgram, topic: string, look: HelpLook): string {
  if (topic === '') return rootHelp(program, look);
  const commands = visibleCommands(program).filter(({ id }) => parentOf(id) === topic);
  const description = program.topics[topic];
  return page([
    description === undefined ? [] : wrap(description, look, ''),
    section('USAGE', look, [`netctl ${spoken(topic)} COMMAND [ARGUMENTS] [FLAGS]`]),
    section('COMMANDS', look, list(commands.map(commandRow), look)),
    section('TOPICS', look, list(topicRows(program, topic), look)),
    [`netctl help ${spoken(topic)} COMMAND says more.`],
  ]);
}

/** `netctl network show --help`. */
export function commandHelp(command: CommandInfo, look: HelpLook): string {
  const args = Object.values(command.args).filter(({ hidden }) => hidden !== true);
  const groups = flagGroups(command);
  return page([
    wrap(oneLine(command), look, ''),
    section('USAGE', look, [usageLine(command)]),
    section(
      'ARGUMENTS',
      look,
      list(
        args.map((arg): Row => [argWord(arg), argText(arg)]),
        look,
      ),
    ),
    ...groups.map(({ title, flags }) =>
      section(
        title,
        look,
        list(
          flags.map((flag): Row => [flagWord(flag), flagText(flag)]),
          look,
        ),
      ),
    ),
    section('DESCRIPTION', look, paragraphs(longText(command), look)),
    section('EXAMPLES', look, exampleLines(command, look)),
    section('EXIT CODES', look, list(Object.entries(command.exitCodes ?? {}), look)),
    section(
      'ALIASES',
      look,
      command.aliases.map((alias) => `netctl ${spoken(alias)}`),
    ),
  ]);
}

export function usageLine(command: CommandInfo): string {
  const args = Object.values(command.args).filter(({ hidden }) => hidden !== true);
  const required = visibleFlags(command).filter((flag) => flag.required === true);
  return [
    'netctl',
    spoken(command.id),
    ...args.map((arg) => (arg.required === true ? argWord(arg) : `[${argWord(arg)}]`)),
    ...required.map((flag) => `--${flag.name} ${valueWord(flag)}`),
    ...(visibleFlags(command).length > required.length ? ['[FLAGS]'] : []),
  ].join(' ');
}

/** Flags as help and the documents show them: the command's own first, then by group. */
export function flagGroups(
  command: CommandInfo,
): readonly { readonly title: string; readonly flags: readonly FlagInfo[] }[] {
  const titles = ['FLAGS', 'OUTPUT FLAGS', 'ETCD FLAGS', 'GLOBAL FLAGS'];
  const flags = visibleFlags(command);
  const titleOf = (flag: FlagInfo): string =>
    flag.helpGroup === undefined ? 'FLAGS' : `${flag.helpGroup.toUpperCase()} FLAGS`;
  const found = [...new Set(flags.map(titleOf))];
  const rank = (title: string): number => (titles.includes(title) ? titles.indexOf(title) : 1);
  return found
    .sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
    .map((title) => ({ title, flags: flags.filter((flag) => titleOf(flag) === title) }));
}

export function argWord(arg: ArgInfo): string {
  return `${arg.name.toUpperCase()}${arg.multiple === true ? '…' : ''}`;
}

export function flagWord(flag: FlagInfo): string {
  const char = flag.char === undefined ? '    ' : `-${flag.char}, `;
  const name = flag.allowNo === true ? `--[no-]${flag.name}` : `--${flag.name}`;
  return `${char}${flag.type === 'boolean' ? name : `${name} ${valueWord(flag)}`}`;
}

/** The summary, then what one may want to know in brackets: values, default, variable. */
export function flagText(flag: FlagInfo): string {
  const isDefaultTelling = typeof flag.default === 'string' || typeof flag.default === 'number';
  const facts = [
    ...(flag.options === undefined ? [] : [flag.options.join('|')]),
    ...(isDefaultTelling ? [`default ${String(flag.default)}`] : []),
    ...(flag.multiple === true ? ['may be repeated'] : []),
    ...(flag.env === undefined ? [] : [`$${flag.env}`]),
  ];
  const summary = flag.summary ?? flag.description ?? '';
  return facts.length === 0 ? summary : `${summary} [${facts.join('; ')}]`.trim();
}

export function argText(arg: ArgInfo): string {
  return arg.options === undefined ? (arg.description ?? '') : `${arg.description ?? ''} [${arg.options.join('|')}]`;
}

/** What there is to say beyond the one line. */
export function longText(command: CommandInfo): string {
  if (command.summary !== undefined) return command.description ?? '';
  return (command.description ?? '').split('\n').slice(1).join('\n').trim();
}

/** Examples as pairs; `<%= config.bin %>` and `<%= command.id %>` of oclif's own help are understood. */
export function examplesOf(command: CommandInfo): readonly { readonly text: string; readonly line: string }[] {
  return (command.examples ?? []).map((example) => {
    const { description, command: line } =
      typeof example === 'string' ? { description: '', command: example } : example;
    return {
      text: description,
      line: line
        .replaceAll(/<%[=-]\s*config\.bin\s*%>/g, 'netctl')
        .replaceAll(/<%[=-]\s*command\.id\s*%>/g, spoken(command.id))
        .replace(/^\$ /, ''),
    };
  });
}

function valueWord(flag: FlagInfo): string {
  const given = Array.isArray(flag.helpValue) ? flag.helpValue.join(' ') : flag.helpValue;
  return typeof given === 'string' ? given.replaceAll(/[<>]/g, '') : flag.name.toUpperCase();
}

function visibleFlags(command: CommandInfo): readonly FlagInfo[] {
  return Object.values(command.flags)
    .filter(({ hidden }) => hidden !== true)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function parentOf(id: string): string {
  return id.includes(':') ? id.slice(0, id.lastIndexOf(':')) : '';
}

function commandRow(command: CommandInfo): Row {
  return [spoken(command.id), oneLine(command)];
}

function topicRows(program: HelpProgram, parent: string): readonly Row[] {
  const depth = parent === '' ? 0 : parent.split(':').length;
  const ids = visibleCommands(program).map(({ id }) => id.split(':'));
  const topics = new Set(
    ids
      .filter((words) => words.length > depth + 1 && words.slice(0, depth).join(':') === parent)
      .map((words) => words.slice(0, depth + 1).join(':')),
  );
  return [...topics].sort().map((topic): Row => {
    const verbs = ids.filter((words) => words.join(':').startsWith(`${topic}:`)).map((words) => words.slice(depth + 1));
    const names = [...new Set(verbs.map(([verb]) => verb ?? ''))].join(', ');
    const description = program.topics[topic];
    return [spoken(topic), description === undefined ? names : `${description}: ${names}`];
  });
}

function exampleLines(command: CommandInfo, look: HelpLook): readonly string[] {
  return examplesOf(command).flatMap(({ text, line }, index) => [
    ...(index === 0 || text === '' ? [] : ['']),
    ...(text === '' ? [] : wrap(text, look, '  ')),
    // A command is never wrapped: it has to survive being copied.
    ...line.split('\n').map((part) => (text === '' ? part : `  ${part}`)),
  ]);
}

function section(title: string, look: HelpLook, lines: readonly string[]): readonly string[] {
  if (lines.length === 0) return [];
  return [look.strong(title), ...lines.map((line) => (line === '' ? '' : `  ${line}`))];
}

function list(rows: readonly Row[], look: HelpLook): readonly string[] {
  const longest = Math.max(0, ...rows.map(([left]) => left.length));
  const columns = widthOf(look);
  // Two columns need room for some words on the right; else the text goes under its word.
  if (columns - longest - 4 < 24) {
    return rows.flatMap(([left, right]) => [left.trim(), ...wrap(right, look, '    ').map((line) => `    ${line}`)]);
  }
  return rows.flatMap(([left, right]) => {
    const [first = '', ...more] = wrap(right, look, ' '.repeat(longest + 4));
    return [`${left.padEnd(longest)}  ${first}`.trimEnd(), ...more.map((line) => `${' '.repeat(longest + 2)}${line}`)];
  });
}

function paragraphs(text: string, look: HelpLook): readonly string[] {
  if (text === '') return [];
  // Lines that are indented are a table or a code block of the author's.
  return text.split('\n').flatMap((line) => (line.startsWith(' ') || line === '' ? [line] : wrap(line, look, '  ')));
}

function wrap(text: string, look: HelpLook, indent: string): readonly string[] {
  const words = text.trim().replaceAll(/\s+/g, ' ');
  return words === '' ? [] : wrapWords(words, Math.max(16, widthOf(look) - indent.length), lengthAsWidth, true);
}

function widthOf({ columns }: HelpLook): number {
  return Math.min(widest, Math.max(narrowest, columns));
}

function page(sections: readonly (readonly string[])[]): string {
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}
