import type { BackendOptionValue } from './inventory';
import { inventoryDefaults } from './inventory-defaults';
import { type KeyReference, keyReference } from './key-reference';

export type TemplateValue = BackendOptionValue | readonly string[];

export interface TemplateWish {
  /** Values by key path, such as `etcd.prefix`; they stand as settings, all other keys as comments. */
  readonly values: ReadonlyMap<string, TemplateValue>;
  readonly nodes: readonly { readonly name: string; readonly address?: string }[];
  /** Every key there is, instead of the few that a beginning needs. */
  readonly full: boolean;
}

/** Keys that are worth a line to somebody who has not read the reference. */
const minimalKeys: ReadonlySet<string> = new Set([
  'etcd.endpoints',
  'etcd.prefix',
  'etcd.ca',
  'etcd.cert',
  'etcd.key',
  'network.cidr',
  'network.backend',
  'network.backend.type',
  'flannel.version',
  'ssh.user',
  'ssh.sudo',
  'nodes[].name',
  'nodes[].address',
  'nodes[].subnet',
]);

const lineWidth = 100;

/** The text of a new `netctl.yaml`: settings that were given, and the other keys explained, ready to be uncommented. */
export function inventoryTemplate(wish: TemplateWish): string {
  const values = new Map(wish.values);
  if (!values.has('etcd.endpoints')) values.set('etcd.endpoints', inventoryDefaults.etcd.endpoints);
  const lines = [
    '# yaml-language-server: $schema=./netctl.schema.json',
    '# The inventory of netctl: how to reach etcd, the network that is wanted, the nodes. Every key is',
    '# optional. Your editor completes and checks them with the schema that this writes:',
    '#   netctl config validate --schema > netctl.schema.json',
    '# netctl config validate checks this file; netctl config show says which value comes from where.',
  ];
  const isShown = ({ path }: KeyReference): boolean =>
    wish.full ||
    minimalKeys.has(path) ||
    values.has(path) ||
    [...values.keys()].some((key) => key.startsWith(`${path}.`));
  const sections = keyReference.filter(({ path }) => !/[.[]/.test(path));
  for (const section of sections) {
    const keys = keyReference.filter(
      ({ path }) => path.startsWith(`${section.path}.`) || path.startsWith(`${section.path}[`),
    );
    const shown = keys.filter(isShown);
    if (shown.length === 0) continue;
    lines.push('', ...comment(section.what, ''), `${section.path}:`);
    if (section.path === 'nodes') lines.push(...nodeLines(shown, wish));
    else lines.push(...keyLines(shown, values, wish.full));
  }
  return `${lines.join('\n')}\n`;
}

function keyLines(
  keys: readonly KeyReference[],
  values: ReadonlyMap<string, TemplateValue>,
  full: boolean,
): readonly string[] {
  return keys.flatMap((key) => {
    const indent = '  '.repeat(key.path.split('.').length - 1);
    const name = key.path.slice(key.path.lastIndexOf('.') + 1);
    const value = values.get(key.path);
    const isSet = value !== undefined || [...values.keys()].some((path) => path.startsWith(`${key.path}.`));
    const text = value === undefined ? key.example : formatValue(value);
    return [...comment(wordsOf(key, full), indent), keyLine(indent, isSet ? '' : '#', name, text)];
  });
}

function nodeLines(keys: readonly KeyReference[], wish: TemplateWish): readonly string[] {
  const [first, ...others] = wish.nodes.length === 0 ? [undefined] : wish.nodes;
  const explained = keys.flatMap((key) => {
    const steps = key.path.split('.').length;
    const name = key.path.slice(key.path.lastIndexOf('.') + 1);
    const given = steps === 2 && (name === 'name' || name === 'address') ? first?.[name] : undefined;
    const text = given === undefined ? key.example : formatValue(given);
    const mark = given === undefined ? '#' : '';
    const indent = steps === 2 && name === 'name' ? '  ' : '  '.repeat(steps);
    const word = steps === 2 && name === 'name' ? '- name' : name;
    return [...comment(wordsOf(key, wish.full), indent), keyLine(indent, mark, word, text)];
  });
  const plain = others.flatMap((node) => [
    `  - name: ${formatValue(node?.name ?? '')}`,
    ...(node?.address === undefined ? [] : [`    address: ${formatValue(node.address)}`]),
  ]);
  return [...explained, ...plain];
}

function keyLine(indent: string, mark: string, name: string, text: string | undefined): string {
  return text === undefined ? `${indent}${mark}${name}:` : `${indent}${mark}${name}: ${text}`;
}

function wordsOf(key: KeyReference, full: boolean): string {
  const what = full ? key.what : (/^.*?[.](?= |$)/.exec(key.what)?.[0] ?? key.what);
  return key.default === undefined ? what : `${what} Default: ${key.default}.`;
}

function comment(text: string, indent: string): readonly string[] {
  const lines: string[] = [];
  let line = `${indent}#`;
  for (const word of text.split(' ')) {
    if (line.length + 1 + word.length > lineWidth) {
      lines.push(line);
      line = `${indent}#`;
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}

function formatValue(value: TemplateValue): string {
  if (typeof value === 'string') return formatText(value);
  return typeof value === 'object' ? `[${value.map(formatText).join(', ')}]` : String(value);
}

/** Plain where YAML reads it back as the same text, else quoted; JSON strings are YAML. */
function formatText(text: string): string {
  const isPlain = /^[A-Za-z0-9/~^][A-Za-z0-9_./:@~+^-]*$/.test(text) && !text.endsWith(':');
  const isOtherKind =
    text === '~' || /^(?:true|false|null)$/i.test(text) || !Number.isNaN(Number(text)) || /^0o/.test(text);
  return isPlain && !isOtherKind ? text : JSON.stringify(text);
}
