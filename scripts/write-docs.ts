// Writes what in docs/ is made from the program: `npm run docs`. With --check it writes nothing and fails when a file differs.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { argText, argWord, examplesOf, flagGroups, flagText, flagWord, longText, usageLine } from '../src/lib/cli/help';
import { type CommandInfo, type FlagInfo, oneLine, spoken, visibleCommands } from '../src/lib/cli/program';
import { areas, exitTopics } from '../src/lib/explain/index';
import type { Topic } from '../src/lib/explain/topic';
import { inventoryJsonSchema } from '../src/lib/inventory/schema';
import { networkConfigSchema } from '../src/lib/net/network-config-schema';
import { outputSchemas } from '../src/lib/view/schemas/output-schemas';
import { manifest, packageJson, topicTexts } from './manifest.mjs';

const docs = join(import.meta.dirname, '../docs');
const note = '<!-- Made by `npm run docs`; change the sources, not this file. -->';

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;').replaceAll('\n', ' ');
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map((row) => line(row.map(cell)))].join('\n');
}

function list(title: string, items: readonly string[]): string {
  return items.length === 0 ? '' : `${title}\n\n${items.map((item) => `- ${item}`).join('\n')}`;
}

function page(parts: readonly string[]): string {
  return `${[note, ...parts].filter((part) => part !== '').join('\n\n')}\n`;
}

function commandText(command: CommandInfo): string {
  const args = Object.values(command.args).filter(({ hidden }) => hidden !== true);
  const examples = examplesOf(command).map(
    ({ text, line }) => `${text === '' ? '' : `${text}:\n\n`}\`\`\`sh\n${line}\n\`\`\``,
  );
  const codes = Object.entries(command.exitCodes ?? {});
  return [
    `## netctl ${spoken(command.id)}`,
    oneLine(command),
    `\`\`\`\n${usageLine(command)}\n\`\`\``,
    longText(command),
    args.length === 0
      ? ''
      : table(
          ['Argument', ''],
          args.map((arg) => [`\`${argWord(arg)}\``, argText(arg)]),
        ),
    ...flagGroups(command).map(({ title, flags }) =>
      table([`${title.charAt(0)}${title.slice(1).toLowerCase()}`, '', 'Variable'], flags.map(flagRow)),
    ),
    examples.length === 0 ? '' : `Examples\n\n${examples.join('\n\n')}`,
    codes.length === 0 ? '' : table(['Exit code', ''], codes),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

function flagRow(flag: FlagInfo): readonly string[] {
  const { env, ...rest } = flag;
  return [`\`${flagWord(flag).trim()}\``, flagText(rest), env === undefined ? '' : `\`${env}\``];
}

function topicText(topic: Topic): string {
  return [
    `### ${topic.code}`,
    `${topic.title}.${topic.exit === undefined ? '' : ` Exit code ${topic.exit}.`}`,
    topic.meaning,
    list('What leads to it:', topic.causes),
    list('What to do:', topic.mend),
    topic.see === undefined ? '' : `See also: ${topic.see.join(', ')}.`,
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

function commandPages(commands: readonly CommandInfo[], topics: Readonly<Record<string, string>>): [string, string][] {
  const words = [...new Set(commands.map(({ id }) => id.split(':')[0] ?? ''))];
  const pages = words.map((word): [string, string] => {
    const own = commands.filter(({ id }) => id === word || id.startsWith(`${word}:`));
    const title = topics[word] === undefined ? [`# netctl ${word}`] : [`# netctl ${word}`, `${topics[word]}.`];
    return [`commands/${word}.md`, page([...title, ...own.map(commandText)])];
  });
  const rows = commands.map((command) => {
    const [word = ''] = command.id.split(':');
    const anchor = `netctl-${command.id.replaceAll(':', '-')}`;
    return [`[${spoken(command.id)}](${word}.md#${anchor})`, oneLine(command)];
  });
  const index = page([
    '# Commands',
    'Each is explained by `netctl help COMMAND` too. Every flag can be set by the variable that stands beside it.',
    table(['Command', ''], rows),
  ]);
  return [['commands/README.md', index], ...pages];
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

async function files(): Promise<ReadonlyMap<string, string>> {
  const program: { readonly commands: Readonly<Record<string, CommandInfo>> } = await manifest();
  const exitRows = exitTopics.map(({ code, title, meaning }) => [code, title, meaning]);
  return new Map([
    ...commandPages(visibleCommands(program), topicTexts(packageJson().oclif.topics)),
    [
      'exit-codes.md',
      page([
        '# Exit codes',
        'How netctl ends, for scripts. `netctl explain 6` says the same in the terminal.',
        table(['Code', '', ''], exitRows),
        ...exitTopics.map((topic) => topicText(topic)),
      ]),
    ],
    [
      'errors.md',
      page([
        '# Errors and problems',
        'Every error that netctl prints and every problem that it reports has a code. `netctl explain CODE` says this in the terminal.',
        ...areas.flatMap(({ title, topics }) => [`## ${title}`, ...topics.map(topicText)]),
      ]),
    ],
    ['schemas/netctl.schema.json', json(inventoryJsonSchema())],
    ['schemas/flannel-network-config.schema.json', json(networkConfigSchema)],
    ...Object.entries(outputSchemas()).map(([kind, schema]): [string, string] => [
      `schemas/output/${kind}.schema.json`,
      json(schema),
    ]),
  ]);
}

/** Folders that hold nothing but what is made here: a file of a command that is gone is removed. */
const ownFolders = ['commands', 'schemas'];

function strays(wanted: ReadonlyMap<string, string>): readonly string[] {
  return ownFolders.flatMap((folder) => {
    try {
      return readdirSync(join(docs, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(docs.length + 1))
        .filter((file) => !wanted.has(file));
    } catch {
      return [];
    }
  });
}

function read(file: string): string | undefined {
  try {
    return readFileSync(join(docs, file), 'utf8');
  } catch {
    return undefined;
  }
}

async function run(): Promise<void> {
  const wanted = await files();
  const differing = Array.from(wanted.keys()).filter((file) => read(file) !== wanted.get(file));
  const superfluous = strays(wanted);
  if (process.argv.includes('--check')) {
    for (const file of [...differing, ...superfluous])
      console.error(`docs/${file} is not what the sources say: npm run docs`);
    process.exitCode = differing.length + superfluous.length > 0 ? 1 : 0;
    return;
  }
  for (const file of differing) {
    mkdirSync(dirname(join(docs, file)), { recursive: true });
    writeFileSync(join(docs, file), wanted.get(file) ?? '');
  }
  for (const file of superfluous) rmSync(join(docs, file));
}

void run();
