import type { Interfaces } from '@oclif/core';
import type { Command } from '@oclif/core/command';
import { exitCodes, NetctlError } from '../errors';
import { screenOf } from '../view/format';
import type { CommandInfo, Program } from './program';
import { findTarget } from './program';

/**
 * One run of netctl: what the words ask for, done; resolves to the exit code when all output has left the process.
 * Help, completion and `--version` are answered from the manifest: neither oclif nor the command's class is loaded.
 */
export async function main(argv: readonly string[], program: Program): Promise<number> {
  let command: CommandInfo | undefined;
  try {
    if (argv[0] === '__complete') {
      const { completeLine } = await import('./complete-line');
      return await ended(await completeLine(program, argv.slice(1)));
    }
    if (argv[0] === '--version' || argv[0] === '-v') return await ended(`${versionLine(program)}\n`);
    const helpWords = wordsOfHelp(argv);
    if (helpWords !== undefined) return await ended(await helpText(program, helpWords));
    const target = findTarget(program, argv);
    switch (target.kind) {
      case 'command': {
        command = target.command;
        await runCommand(program, command, target.rest);
        return await ended('');
      }
      case 'topic': {
        if (argv[0]?.startsWith('-') === true) throw await flagFirst(program, argv);
        return await ended(await helpText(program, argv));
      }
      case 'unknown':
        throw await notFound(program, target);
      default:
        return target satisfies never;
    }
  } catch (thrown) {
    return await failed(thrown, argv, command);
  }
}

export function versionLine({ version }: Pick<Program, 'version'>): string {
  return `netctl/${version} ${process.platform}-${process.arch} node-${process.version}`;
}

/** The words that help is asked for: `--help` or `-h` anywhere before `--`, `help` in front, or no word at all. */
function wordsOfHelp(argv: readonly string[]): readonly string[] | undefined {
  if (argv.length === 0) return [];
  const end = argv.indexOf('--');
  const words = end === -1 ? argv : argv.slice(0, end);
  const rest = words.filter((word) => word !== '--help' && word !== '-h');
  if (words[0] === 'help') return rest.slice(1);
  return rest.length < words.length ? rest : undefined;
}

async function helpText(program: Program, words: readonly string[]): Promise<string> {
  const target = findTarget(program, words);
  if (target.kind === 'unknown') throw await notFound(program, target);
  const [{ commandHelp, topicHelp }, { styler }] = await Promise.all([import('./help'), import('../view/style')]);
  const screen = screenOf(process.stdout, process.env);
  const { strong } = await styler(screen);
  const look = { columns: Number.isFinite(screen.columns) ? screen.columns : 80, strong };
  return target.kind === 'command' ? commandHelp(target.command, look) : topicHelp(program, target.topic, look);
}

async function runCommand(program: Program, command: CommandInfo, argv: readonly string[]): Promise<void> {
  for (const { type, env } of Object.values(command.flags)) {
    const text = type === 'boolean' && env !== undefined ? process.env[env] : undefined;
    // oclif takes every text that it does not know for no.
    if (text !== undefined && !/^(|1|true|y|yes|0|false|n|no)$/i.test(text)) {
      const { badSwitch } = await import('./usage-error');
      throw badSwitch(command, env ?? '', text);
    }
  }
  const loaded = await program.load(command.id);
  loaded.id = command.id;
  await loaded.run([...argv], oclifOptions(program));
}

/**
 * oclif's `Config` as it would be after reading package.json and the manifest from disk, which we have read already.
 * One plugin, ourselves; no hooks.
 */
function oclifOptions(program: Program): Interfaces.Options {
  const pjson = { name: 'netctl', version: program.version, oclif: { bin: 'netctl', topicSeparator: ' ' as const } };
  const self: Interfaces.Plugin = {
    _base: '',
    alias: 'netctl',
    commandIDs: Object.keys(program.commands),
    commands: [],
    commandsDir: undefined,
    findCommand: async (id: string): Promise<Command.Class> => program.load(id),
    hasManifest: true,
    hooks: {},
    isRoot: true,
    load: async () => undefined,
    moduleType: 'commonjs',
    name: 'netctl',
    options: { root: program.root },
    pjson,
    root: program.root,
    topics: [],
    type: 'core',
    valid: true,
    version: program.version,
  };
  return { root: program.root, pjson, plugins: new Map([['netctl', self]]) };
}

async function notFound(program: Program, target: Extract<ReturnType<typeof findTarget>, { kind: 'unknown' }>) {
  const { unknownCommand } = await import('./usage-error');
  return unknownCommand(program, target);
}

async function flagFirst(program: Program, argv: readonly string[]) {
  const { flagBeforeCommand } = await import('./usage-error');
  return flagBeforeCommand(program, argv);
}

async function failed(thrown: unknown, argv: readonly string[], command: CommandInfo | undefined): Promise<number> {
  const [{ renderError }, { asUsageError }] = await Promise.all([import('../view/error'), import('./usage-error')]);
  const error = command === undefined ? thrown : asUsageError(thrown, command, process.env);
  const look = { json: asksForJson(argv), debug: Boolean(process.env['NETCTL_DEBUG']) };
  const text = await renderError(error, screenOf(process.stderr, process.env), look).catch(
    (second: unknown) => `netctl: ${String(error)}\n${String(second)}\n`,
  );
  await flushed(process.stderr, text);
  await flushed(process.stdout, '');
  return error instanceof NetctlError ? error.exit : exitCodes.bug;
}

/** Before or without a parse: a script that asked for JSON gets its error as JSON too. */
function asksForJson(argv: readonly string[]): boolean {
  const isAsked = argv.some(
    (word, index) =>
      word === '--json' ||
      /^(-o=?|--output=)json$/.test(word) ||
      (word === 'json' && /^(-o|--output)$/.test(argv[index - 1] ?? '')),
  );
  if (isAsked || argv.some((word) => /^(-o|--output(=|$))/.test(word))) return isAsked;
  return process.env['NETCTL_OUTPUT'] === 'json' || /^(1|true)$/i.test(process.env['NETCTL_JSON'] ?? '');
}

async function ended(text: string): Promise<number> {
  await flushed(process.stdout, text);
  await flushed(process.stderr, '');
  return Number(process.exitCode ?? exitCodes.done);
}

/** Written and gone: `process.exit` would cut off what a slow pipe has not taken yet. */
async function flushed(stream: NodeJS.WriteStream, text: string): Promise<void> {
  await new Promise<void>((resolve) => stream.write(text, () => resolve()));
}
