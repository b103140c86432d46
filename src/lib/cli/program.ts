import type { Command } from '@oclif/core/command';

export interface FlagInfo {
  readonly name: string;
  readonly type: 'boolean' | 'option';
  readonly char?: string;
  readonly summary?: string;
  readonly description?: string;
  readonly env?: string;
  readonly options?: readonly string[];
  readonly default?: unknown;
  readonly helpValue?: string | readonly string[];
  readonly helpGroup?: string;
  readonly multiple?: boolean;
  readonly allowNo?: boolean;
  readonly required?: boolean;
  readonly hidden?: boolean;
  readonly exclusive?: readonly unknown[];
}

export interface ArgInfo {
  readonly name: string;
  readonly description?: string;
  readonly options?: readonly string[];
  readonly default?: unknown;
  readonly required?: boolean;
  readonly multiple?: boolean;
  readonly hidden?: boolean;
}

/** One entry of `oclif.manifest.json`, as far as we read it. Enough for help, completion and the docs: no class is loaded. */
export interface CommandInfo {
  /** Words with colons: `subnets:ls`. */
  readonly id: string;
  readonly aliases: readonly string[];
  readonly hiddenAliases?: readonly string[];
  readonly hidden?: boolean;
  readonly summary?: string;
  readonly description?: string;
  readonly examples?: readonly (string | { readonly description: string; readonly command: string })[];
  readonly flags: Readonly<Record<string, FlagInfo>>;
  readonly args: Readonly<Record<string, ArgInfo>>;
  readonly strict?: boolean;
  /** `static exitCodes` of the command: what a number means here, where that says more than the common table. */
  readonly exitCodes?: Readonly<Record<string, string>>;
}

/** All that `main` needs of the program around it: built and dev runs give different ones. */
export interface Program {
  /** The folder of package.json. */
  readonly root: string;
  readonly version: string;
  readonly description: string;
  readonly commands: Readonly<Record<string, CommandInfo>>;
  /** What `netctl help TOPIC` says first, by the topic's words with colons. */
  readonly topics: Readonly<Record<string, string>>;
  readonly load: (id: string) => Promise<Command.Class> | Command.Class;
}

export type Target =
  | { readonly kind: 'command'; readonly command: CommandInfo; readonly rest: readonly string[] }
  | { readonly kind: 'topic'; readonly topic: string }
  | { readonly kind: 'unknown'; readonly words: readonly string[]; readonly topic: string };

/** Which command the words name: the longest run of them that is one. */
export function findTarget(program: Pick<Program, 'commands'>, argv: readonly string[]): Target {
  const words = leadingWords(argv);
  for (let length = words.length; length > 0; length--) {
    const command = commandOf(program, words.slice(0, length).join(':'));
    if (command !== undefined) return { kind: 'command', command, rest: argv.slice(length) };
  }
  let length = words.length;
  while (length > 0 && !isTopic(program, words.slice(0, length).join(':'))) length--;
  const topic = words.slice(0, length).join(':');
  if (length === words.length) return { kind: 'topic', topic };
  return { kind: 'unknown', words: words.slice(0, length + 1), topic };
}

export function commandOf(program: Pick<Program, 'commands'>, id: string): CommandInfo | undefined {
  if (Object.hasOwn(program.commands, id)) return program.commands[id];
  return Object.values(program.commands).find(
    ({ aliases, hiddenAliases }) => aliases.includes(id) || hiddenAliases?.includes(id),
  );
}

/** `network` is a topic when there is a `network show`; `''` is the topic of everything. */
export function isTopic(program: Pick<Program, 'commands'>, topic: string): boolean {
  return topic === '' || Object.keys(program.commands).some((id) => id.startsWith(`${topic}:`));
}

/** Commands that help and completion show, in the order of their words. */
export function visibleCommands(program: Pick<Program, 'commands'>): readonly CommandInfo[] {
  return Object.values(program.commands)
    .filter(({ hidden }) => hidden !== true)
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** `subnets:ls` as it is typed: `subnets ls`. */
export function spoken(id: string): string {
  return id.replaceAll(':', ' ');
}

export function oneLine({ summary, description }: CommandInfo): string {
  return summary ?? description?.split('\n')[0] ?? '';
}

/** `--output`, `-o`, `--no-color`: all the ways to write one flag. */
export function spellings(flag: FlagInfo): readonly string[] {
  return [
    `--${flag.name}`,
    ...(flag.allowNo === true ? [`--no-${flag.name}`] : []),
    ...(flag.char === undefined ? [] : [`-${flag.char}`]),
  ];
}

function leadingWords(argv: readonly string[]): readonly string[] {
  const end = argv.findIndex((word) => word.startsWith('-'));
  return end === -1 ? argv : argv.slice(0, end);
}
