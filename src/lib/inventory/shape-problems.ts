import type * as z from 'zod/mini';
import { formOf, forms, suggestForm } from './forms';
import type { InventoryProblem } from './inventory-problem';
import { formatKeyPath, type KeyPath } from './key-path';
import { suggestKey } from './suggest-key';
import type { Place } from './yaml-tree';

type Issue = z.core.$ZodIssue;

/** What zod found, in words for the person who writes the file. `value` is what was looked at. */
export function shapeProblems(
  issues: readonly Issue[],
  value: unknown,
  places: ReadonlyMap<string, Place>,
): readonly InventoryProblem[] {
  return issues.flatMap((issue) => problemsOf(issue, [], { value, places }));
}

interface Looked {
  readonly value: unknown;
  readonly places: ReadonlyMap<string, Place>;
}

function problemsOf(issue: Issue, base: KeyPath, looked: Looked): readonly InventoryProblem[] {
  const path = [...base, ...issue.path.map((step) => (typeof step === 'number' ? step : String(step)))];
  const at = (code: string, message: string, suggestion: string | null, where: KeyPath = path): InventoryProblem => {
    const { line, column } = placeOf(where, looked.places);
    return { code, severity: 'error', path: formatKeyPath(where), line, column, message, suggestion };
  };
  const value = valueAt(looked.value, path);
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => {
        const where = [...path, key];
        if (isSecretKey(key)) return at('inventory-secret', secretRule, secretAdvice, where);
        return at('inventory-unknown-key', 'is not a key of an inventory', suggestKey(patternOf(path), key), where);
      });
    case 'invalid_key': {
      const key = String(path.at(-1));
      const form = formOf(patternOfIssue(issue.issues[0]));
      if (isSecretKey(key)) return [at('inventory-secret', secretRule, secretAdvice)];
      return [
        at(
          'inventory-wrong-value',
          `the key ${quote(key)} ${form?.rule ?? 'is not allowed here'}`,
          form === undefined ? null : `${suggestForm(form, key)}:`,
        ),
      ];
    }
    case 'invalid_union': {
      // A text or a list: what matters is the branch that liked the kind of the value.
      const branch = issue.errors.find(
        (issues) => !issues.some((inner) => inner.path.length === 0 && inner.code === 'invalid_type'),
      );
      if (branch !== undefined && branch.length > 0) return branch.flatMap((inner) => problemsOf(inner, path, looked));
      const kinds = issue.errors.flatMap((issues) => (issues[0]?.code === 'invalid_type' ? [issues[0].expected] : []));
      return [at('inventory-wrong-type', `${kindOf(value)}; ${kinds.map(wantedKind).join(' or ')} belongs here`, null)];
    }
    case 'invalid_type':
      return [wrongType(issue.expected, value, path, looked, at)];
    case 'invalid_value': {
      const allowed = issue.values.map(String);
      if (value === undefined) {
        return [at('inventory-missing-key', 'is missing', `${String(path.at(-1))}: with one of ${allowed.join(', ')}`)];
      }
      const text = textOf(value);
      const near = allowed.find((word) => word.replaceAll('-', '') === text.toLowerCase().replaceAll(/[-_. ]/g, ''));
      const guess = near ?? aliasOf(text, allowed);
      return [at('inventory-wrong-value', `${quote(value)} is not one of ${allowed.join(', ')}`, guess)];
    }
    case 'invalid_format': {
      const text = textOf(value);
      if (holdsSecret(text)) return [at('inventory-secret', secretRule, secretAdvice)];
      const form = formOf('pattern' in issue ? String(issue.pattern) : '');
      if (form === forms.etcdUser && text.includes(':')) {
        return [at('inventory-secret', `a user with a colon in it carries its password; ${secretRule}`, secretAdvice)];
      }
      return [
        at(
          'inventory-wrong-value',
          `${quote(text)} ${form?.rule ?? 'has not the right form'}`,
          form === undefined ? null : suggestForm(form, text),
        ),
      ];
    }
    case 'too_small':
    case 'too_big':
      return [
        at(
          'inventory-wrong-value',
          `${sizeOf(value)} is too ${issue.code === 'too_big' ? 'much' : 'little'}`,
          limitOf(issue),
        ),
      ];
    case 'not_multiple_of':
    case 'invalid_element':
    case 'custom':
      return [at('inventory-wrong-value', `${quote(value)} is not allowed here`, null)];
    default:
      return unexpected(issue);
  }
}

function unexpected(issue: never): never {
  throw new Error(`unexpected issue ${JSON.stringify(issue)}`);
}

function wrongType(
  expected: string,
  value: unknown,
  path: KeyPath,
  looked: Looked,
  at: (code: string, message: string, suggestion: string | null) => InventoryProblem,
): InventoryProblem {
  if (value === undefined) return at('inventory-missing-key', 'is missing', `${String(path.at(-1))}: …`);
  const source = looked.places.get(formatKeyPath(path))?.source ?? textOf(value);
  const wanted = wantedKind(expected);
  if (value === null)
    return at('inventory-wrong-type', `has no value; ${wanted} belongs here`, 'the value, or leave the key out');
  if (expected === 'string' && (typeof value === 'number' || typeof value === 'boolean')) {
    return at(
      'inventory-wrong-type',
      `${quote(source)} is ${kindWord(value)} in YAML; ${wanted} belongs here`,
      JSON.stringify(source),
    );
  }
  if ((expected === 'number' || expected === 'int') && typeof value === 'string') {
    const number = /^\s*-?[0-9]+(?:\.[0-9]+)?\s*$/.test(value)
      ? value.trim()
      : (/^[0-9]+(?=[a-z]+$)/i.exec(value)?.[0] ?? null);
    return at(
      'inventory-wrong-type',
      `${quote(value)} is a text; ${wanted} belongs here`,
      number === null ? null : `${number} without quotes and unit`,
    );
  }
  if (expected === 'int' && typeof value === 'number') {
    return at(
      'inventory-wrong-type',
      `${source} is not a whole number`,
      Number.isFinite(value) ? String(Math.trunc(value)) : null,
    );
  }
  if (expected === 'boolean' && typeof value === 'string') {
    const yes = /^(?:y|yes|on|1)$/i.test(value);
    const no = /^(?:n|no|off|0)$/i.test(value);
    const guess = yes
      ? 'true'
      : no
        ? 'false'
        : /^true$/i.test(value)
          ? 'true without quotes'
          : /^false$/i.test(value)
            ? 'false without quotes'
            : 'true or false';
    return at('inventory-wrong-type', `${quote(value)} is a text in YAML 1.2; ${wanted} belongs here`, guess);
  }
  if (expected === 'array' && (typeof value === 'string' || typeof value === 'number')) {
    const shown = holdsSecret(textOf(value)) ? null : `[${short(textOf(value))}]`;
    return at('inventory-wrong-type', `${kindOf(value)}; ${wanted} belongs here`, shown);
  }
  if (expected === 'array' && isPlainMap(value)) {
    return at(
      'inventory-wrong-type',
      `${kindOf(value)}; ${wanted} belongs here`,
      path.length === 1 ? '- name: … before each of them' : null,
    );
  }
  return at('inventory-wrong-type', `${kindOf(value)}; ${wanted} belongs here`, null);
}

const secretRule = 'a secret does not belong into an inventory, which is meant to be shared';
const secretAdvice =
  'passwordFile: with the path of a file that only you can read, or set NETCTL_PASSWORD, or let netctl ask for it';

function isSecretKey(key: string): boolean {
  return /^(?!passwordfile$).*(?:passw|passphrase|secret|token|^pass$|^pw$)/i.test(key.replaceAll(/[-_]/g, ''));
}

/** Would it be wrong to print this text? */
function holdsSecret(text: string): boolean {
  return /PRIVATE KEY|:\/\/[^/]*@|:\/\/[^/]*:[^/]*@/.test(text);
}

/** A value in a message: quoted, short, and nothing that nobody should see. */
function quote(value: unknown): string {
  const text = textOf(value);
  if (holdsSecret(text)) return 'the value (hidden, it holds a secret)';
  return JSON.stringify(short(text));
}

/** `String` would throw for our maps, which have no prototype. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing');
}

function short(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

function isPlainMap(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function kindWord(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map of keys';
  if (typeof value === 'number') return 'a number';
  return typeof value === 'boolean' ? 'true or false' : 'a text';
}

function kindOf(value: unknown): string {
  if (value === null) return 'has no value';
  if (typeof value === 'object') return `is ${kindWord(value)}`;
  return `${quote(value)} is ${kindWord(value)}`;
}

function wantedKind(expected: string): string {
  switch (expected) {
    case 'string':
      return 'a text';
    case 'number':
      return 'a number';
    case 'int':
      return 'a whole number';
    case 'boolean':
      return 'true or false';
    case 'array':
      return 'a list';
    default:
      return 'a map of keys';
  }
}

function sizeOf(value: unknown): string {
  return Array.isArray(value) ? `a list of ${value.length}` : textOf(value);
}

function limitOf(issue: z.core.$ZodIssueTooBig | z.core.$ZodIssueTooSmall): string {
  const entries = issue.origin === 'array' ? ' entries' : '';
  if (issue.code === 'too_big') return `at most ${String(issue.maximum)}${entries}`;
  return `at least ${String(issue.minimum)}${entries === '' ? '' : ' entry'}`;
}

function aliasOf(text: string, allowed: readonly string[]): string | null {
  const words: Readonly<Record<string, string>> = {
    hostgw: 'host-gw',
    supervisor: 'supervisord',
    accept_new: 'accept-new',
    no: allowed.includes('off') ? 'off' : 'none',
    yes: allowed.includes('strict') ? 'strict' : 'nopasswd',
    false: allowed.includes('off') ? 'off' : 'none',
    true: allowed.includes('strict') ? 'strict' : 'nopasswd',
    2: 'v2',
    3: 'v3',
    'daemon.json': 'daemon-json',
    options: 'options-file',
    'drop-in': 'options-file',
  };
  const key = text.toLowerCase();
  const word = Object.hasOwn(words, key) ? words[key] : undefined;
  return word !== undefined && allowed.includes(word) ? word : null;
}

function patternOfIssue(issue: unknown): string {
  return typeof issue === 'object' && issue !== null && 'pattern' in issue ? String(issue.pattern) : '';
}

/** `nodes[2].ssh` → `nodes[].ssh`. */
function patternOf(path: KeyPath): string {
  return path.reduce<string>(
    (text, step) => (typeof step === 'number' ? `${text}[]` : text === '' ? step : `${text}.${step}`),
    '',
  );
}

function valueAt(root: unknown, path: KeyPath): unknown {
  let value: unknown = root;
  for (const step of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = Object.hasOwn(value, step) ? Object.getOwnPropertyDescriptor(value, step)?.value : undefined;
  }
  return value;
}

/** Of the value, or of the nearest thing around it that the file has. */
function placeOf(path: KeyPath, places: ReadonlyMap<string, Place>): Place {
  for (let length = path.length; length >= 0; length--) {
    const place = places.get(formatKeyPath(path.slice(0, length)));
    if (place !== undefined) return place;
  }
  return { line: 1, column: 1 };
}
