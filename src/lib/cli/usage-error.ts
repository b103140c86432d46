import { stripVTControlCharacters } from 'node:util';
import { InvalidInput, NetctlError } from '../errors';
import { didYouMean } from './did-you-mean';
import type { CommandInfo, Program, Target } from './program';
import { isTopic, spellings, spoken, visibleCommands } from './program';

/** `netctl subnet ls`: no such command. */
export function unknownCommand(program: Program, target: Extract<Target, { kind: 'unknown' }>): InvalidInput {
  const typed = target.words.join(' ');
  const ids = visibleCommands(program).map(({ id }) => id);
  const topics = ids.flatMap((id) =>
    id
      .split(':')
      .slice(0, -1)
      .map((_word, index, words) => words.slice(0, index + 1).join(':')),
  );
  const known = [...new Set([...ids, ...topics])].map(spoken);
  // Within a topic the last word is the slip (`subnets lss`); a command of another topic may be meant as well (`ls`).
  const siblings = known.filter((command) => target.topic === '' || command.startsWith(`${spoken(target.topic)} `));
  const verb = target.words.at(-1) ?? '';
  const sameVerb = ids.filter((id) => id.endsWith(`:${verb}`)).map(spoken);
  const near = didYouMean(typed, siblings);
  const guesses = [...new Set([...near, ...(near.length > 0 ? [] : sameVerb.slice(0, 3))])];
  return new InvalidInput({
    code: 'unknown-command',
    message: `${typed}: netctl has no such command`,
    details: guesses.map((guess) => `did you mean: netctl ${guess}`),
    next: [`netctl help${target.topic === '' ? '' : ` ${spoken(target.topic)}`}`],
  });
}

/** `netctl -o json subnets ls`: flags stand after the command. */
export function flagBeforeCommand(program: Program, argv: readonly string[]): InvalidInput {
  const [flag = ''] = argv;
  const at = argv.findIndex((word) => Object.hasOwn(program.commands, word) || isTopic(program, word));
  const moved = at === -1 ? [] : [[...argv.slice(at), ...argv.slice(0, at)].join(' ')];
  return new InvalidInput({
    code: 'unknown-flag',
    message: `${flag}: a flag comes after the command that it is for`,
    next: [...moved.map((line) => `netctl ${line}`), 'netctl help'],
  });
}

/** `NETCTL_SUBNETS_LS_WATCH=maybe`. */
export function badSwitch(command: CommandInfo, variable: string, text: string): InvalidInput {
  return new InvalidInput({
    code: 'bad-value',
    message: `${variable}: ${JSON.stringify(text)} is neither yes nor no`,
    next: [`Set it to true or false, or unset it: unset ${variable}`, `netctl help ${spoken(command.id)}`],
  });
}

/**
 * What oclif's parser throws, in our words: exit 2, the thing first, the corrected form, the way to the help.
 * Everything else comes back as it is.
 */
export function asUsageError(error: unknown, command: CommandInfo, env: NodeJS.ProcessEnv): unknown {
  if (!(error instanceof Error)) return error;
  const help = `netctl help ${spoken(command.id)}`;
  const fromFlag = /^Parsing --(\S+) \n\t([\s\S]*)\nSee more help with --help$/.exec(error.message);
  if (fromFlag !== null) {
    const [, flag = '', text = ''] = fromFlag;
    const isOurs = error instanceof NetctlError;
    return new InvalidInput({
      code: isOurs ? error.code : 'bad-value',
      message: text.includes(`--${flag}`) ? text : `${source(command, flag, env)}: ${text}`,
      next: [...(isOurs ? error.next : []), help],
      ...(isOurs && { details: error.details }),
      cause: error.cause,
    });
  }
  // Any `Error` of oclif carries where it came from; a bug of ours does not.
  if (error instanceof NetctlError || !('oclif' in error)) return error;
  const message = stripVTControlCharacters(error.message).replace(/\nSee more help with --help$/, '');
  return (
    unknownFlags(error, command, help) ??
    arguments_(error, command, help) ??
    badChoice(message, command, env, help) ??
    valueNeeded(message, command, help) ??
    new InvalidInput({ code: 'bad-usage', message: reasons(message), next: [help] })
  );
}

function unknownFlags(error: Error, command: CommandInfo, help: string): InvalidInput | undefined {
  const flags = textsIn(error, 'flags');
  if (flags.length === 0) return undefined;
  const known = Object.values(command.flags)
    .filter(({ hidden }) => hidden !== true)
    .flatMap(spellings);
  const guesses = flags.flatMap((flag) => {
    const [name = flag, value] = flag.split(/=(.*)/s);
    return didYouMean(name, known).map((guess) => `did you mean: ${value === undefined ? guess : `${guess}=${value}`}`);
  });
  return new InvalidInput({
    code: 'unknown-flag',
    message: `${flags.join(', ')}: netctl ${spoken(command.id)} has no such flag`,
    details: guesses,
    next: [help],
  });
}

function arguments_(error: Error, command: CommandInfo, help: string): InvalidInput | undefined {
  if (error.constructor.name === 'RequiredArgsError' || /^Missing \d+ required arg/.test(error.message)) {
    const missing = Object.values(command.args).filter(({ required }) => required === true);
    const named = missing.filter(({ name }) => new RegExp(`^\\s*${name}\\b`, 'm').test(error.message));
    const words = (named.length > 0 ? named : missing).map(({ name }) => name.toUpperCase());
    return new InvalidInput({
      code: 'missing-argument',
      message: `netctl ${spoken(command.id)}: ${words.join(' and ')} must be given`,
      next: [help],
    });
  }
  const extra = textsIn(error, 'args');
  if (extra.length === 0) return undefined;
  const count = Object.keys(command.args).length;
  const takes = count === 0 ? 'takes no argument' : `takes ${count} argument${count === 1 ? '' : 's'}`;
  return new InvalidInput({
    code: 'unexpected-argument',
    message: `${extra.join(' ')}: netctl ${spoken(command.id)} ${takes}`,
    next: [help],
  });
}

function badChoice(
  message: string,
  command: CommandInfo,
  env: NodeJS.ProcessEnv,
  help: string,
): InvalidInput | undefined {
  const found = /^Expected (?:--([a-z][a-z0-9-]*)=)?([\s\S]*) to be one of: (.*)$/.exec(message);
  if (found === null) return undefined;
  const [, flag, value = '', list = ''] = found;
  const options = list.split(', ');
  const where = flag === undefined ? `netctl ${spoken(command.id)}` : source(command, flag, env);
  return new InvalidInput({
    code: 'bad-value',
    message: `${where}: ${value === '' ? 'an empty text' : value} is not one of ${options.join(', ')}`,
    details: didYouMean(value, options).map((guess) => `did you mean: ${guess}`),
    next: [help],
  });
}

function valueNeeded(message: string, command: CommandInfo, help: string): InvalidInput | undefined {
  const found = /^Flag --(\S+) (expects|can only be specified once)/.exec(message);
  if (found === null) return undefined;
  const [, flag = '', what = ''] = found;
  const options = command.flags[flag]?.options;
  const rule =
    what === 'expects'
      ? `needs a value${options === undefined ? '' : `: ${options.join(', ')}`}`
      : 'can be given only once';
  return new InvalidInput({ code: 'bad-usage', message: `--${flag}: ${rule}`, next: [help] });
}

/** Where a flag's value came from: what was typed, or else its variable. */
function source(command: CommandInfo, flag: string, env: NodeJS.ProcessEnv): string {
  const info = command.flags[flag];
  const names = info === undefined ? [`--${flag}`] : spellings(info);
  const isTyped = process.argv.some((word) =>
    names.some((name) =>
      name.startsWith('--') ? word.split('=')[0] === name : /^-[^-]/.test(word) && word.startsWith(name),
    ),
  );
  return !isTyped && info?.env !== undefined && env[info.env] !== undefined ? info.env : `--${flag}`;
}

function reasons(message: string): string {
  return message
    .replace(/^The following errors? occurred:\s*/, '')
    .split('\n')
    .map((line) => line.trim().replace(/^Missing required flag (\S+)$/, '--$1: must be given'))
    .filter((line) => line !== '')
    .join('; ');
}

function textsIn(error: Error, field: string): readonly string[] {
  const value: unknown = Reflect.get(error, field);
  return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : [];
}
