import { Composer, type CST, isAlias, isCollection, isMap, isScalar, isSeq, LineCounter, Parser } from 'yaml';
import type { InventoryProblem } from './inventory-problem';
import { formatKeyPath, type KeyPath } from './key-path';

export interface Place {
  readonly line: number;
  readonly column: number;
  /** A scalar as written, for messages: `0.10` is the number 0.1 by the time that we see its value. */
  readonly source?: string;
}

/** YAML as plain data, with where everything stands. */
export interface YamlTree {
  readonly value: unknown;
  /** By `formatKeyPath`. A scalar is found where it begins, what has more than one line at its key. */
  readonly places: ReadonlyMap<string, Place>;
  readonly problems: readonly InventoryProblem[];
}

const maximumDepth = 16;
const maximumProblems = 200;
// Aliases are for a handful of shared settings; a bomb multiplies a few of them into billions of values.
const maximumAliasedValues = 10_000;

/** Reads one YAML 1.2 document. Never throws: what is wrong with the text is told in `problems`. */
export function readYaml(text: string): YamlTree {
  const lineCounter = new LineCounter();
  const tokens = [...new Parser(lineCounter.addNewLine).parse(text)];
  // The composer recurses. A text of 100,000 brackets would end its stack, and V8 ends the whole process when it has
  // to compile a regular expression just then (seen with Node 20.20), so the depth is looked at before.
  const tooDeep = deepToken(tokens, maximumDepth + 4);
  if (tooDeep !== undefined) {
    return failed([syntaxProblem(placeAt(lineCounter, tooDeep), 'is nested too deeply for an inventory', null)]);
  }
  // Duplicate keys are found below: the library's own check is quadratic in the keys of a map.
  const composer = new Composer({ schema: 'core', resolveKnownTags: false, uniqueKeys: false });
  const [document, second] = [...composer.compose(tokens, true, text.length)];
  if (document === undefined) return { value: null, places: new Map(), problems: [] };
  const problems: InventoryProblem[] = [];
  for (const error of [...document.errors, ...document.warnings].slice(0, maximumProblems)) {
    const [message, suggestion] = wordsOf(error.code, error.message);
    problems.push(syntaxProblem(placeAt(lineCounter, error.pos[0]), message, suggestion));
  }
  if (second !== undefined) {
    const place = placeAt(lineCounter, second.range[0]);
    problems.push(syntaxProblem(place, 'a second document begins here; an inventory is one', 'one document a file'));
  }
  if (problems.length > 0) return failed(problems);
  const builder = new Builder(lineCounter);
  const value = document.contents === null ? null : builder.build(document.contents, [], false);
  return { value, places: builder.places, problems: builder.problems };
}

function failed(problems: readonly InventoryProblem[]): YamlTree {
  return { value: undefined, places: new Map(), problems };
}

/** Offset of the first token that lies deeper than `limit` collections. */
function deepToken(tokens: readonly CST.Token[], limit: number): number | undefined {
  const open: { readonly token: CST.Token; readonly depth: number }[] = tokens.map((token) => ({ token, depth: 0 }));
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { token, depth } = next;
    if (depth > limit) return token.offset;
    if (token.type === 'document') {
      if (token.value !== undefined) open.push({ token: token.value, depth });
    } else if ('items' in token) {
      for (const item of token.items) {
        if (item.key) open.push({ token: item.key, depth: depth + 1 });
        if (item.value) open.push({ token: item.value, depth: depth + 1 });
      }
    }
  }
  return undefined;
}

class Builder {
  readonly places = new Map<string, Place>();
  readonly problems: InventoryProblem[] = [];
  readonly #lineCounter: LineCounter;
  // Filled in document order, so that an alias means the anchor that was set last, as YAML has it.
  readonly #anchors = new Map<string, unknown>();
  #aliasedValues = 0;

  constructor(lineCounter: LineCounter) {
    this.#lineCounter = lineCounter;
  }

  build(node: unknown, path: KeyPath, inAlias: boolean, keyPlace?: Place): unknown {
    const own = this.#placeOf(node);
    const isEmpty = isScalar(node) && node.value === null && node.source === '';
    // What has a key is found at its key, unless it stands on one line with it.
    const place = (isEmpty || isCollection(node) || isAlias(node) ? keyPlace : own) ?? own ?? keyPlace ?? fileStart;
    if (path.length > maximumDepth) {
      this.#add('inventory-syntax', path.slice(0, 3), place, 'is nested too deeply for an inventory', null);
      return null;
    }
    if (inAlias) {
      this.#aliasedValues += 1;
      if (this.#aliasedValues > maximumAliasedValues) {
        const message = `aliases (*…) stand for more than ${maximumAliasedValues} values here`;
        if (this.#aliasedValues === maximumAliasedValues + 1) this.#add('inventory-syntax', path, place, message, null);
        return null;
      }
    }
    const source = isScalar(node) && typeof node.value !== 'string' ? node.source : undefined;
    this.places.set(formatKeyPath(path), source === undefined ? place : { ...place, source });
    if (isAlias(node)) {
      if (!this.#anchors.has(node.source)) {
        this.#add('inventory-syntax', path, place, `there is no anchor &${node.source} above`, null);
        return null;
      }
      return this.build(this.#anchors.get(node.source), path, true, place);
    }
    const value = this.#buildValue(node, path, inAlias, place);
    // Set when its value is complete, so that an alias inside of itself names nothing.
    if ((isScalar(node) || isCollection(node)) && node.anchor !== undefined) this.#anchors.set(node.anchor, node);
    return value;
  }

  #buildValue(node: unknown, path: KeyPath, inAlias: boolean, place: Place): unknown {
    if (isScalar(node)) return node.value;
    if (isSeq(node)) return node.items.map((item, index) => this.build(item, [...path, index], inAlias));
    if (isMap(node)) return this.#buildMap(node.items, path, inAlias, place);
    return null;
  }

  #buildMap(
    pairs: readonly { key: unknown; value: unknown }[],
    path: KeyPath,
    inAlias: boolean,
    place: Place,
  ): unknown {
    // Without a prototype, so that a key called `__proto__` or `constructor` is a key like any other.
    const map: Record<string, unknown> = Object.create(null);
    const lines = new Map<string, number>();
    for (const { key: keyNode, value } of pairs) {
      const keyPlace = this.#placeOf(keyNode) ?? place;
      if (!isScalar(keyNode) || keyNode.value === null) {
        this.#add('inventory-syntax', path, keyPlace, 'has a key that is not a word', null);
        continue;
      }
      const key = typeof keyNode.value === 'string' ? keyNode.value : (keyNode.source ?? JSON.stringify(keyNode.value));
      const keyPath = [...path, key];
      if (key === '<<') {
        const instead = 'the keys themselves; what all nodes share goes under ssh: or flannel:';
        this.#add('inventory-syntax', path, keyPlace, 'has a merge key (<<), which YAML 1.2 does not know', instead);
        continue;
      }
      // zod passes over this one in silence.
      if (key === '__proto__') {
        this.#add('inventory-unknown-key', keyPath, keyPlace, 'is not a key of an inventory', null);
        continue;
      }
      const before = lines.get(key);
      if (before !== undefined) {
        this.#add(
          'inventory-duplicate',
          keyPath,
          keyPlace,
          `stands here again; the first is in line ${before}`,
          'it once',
        );
        continue;
      }
      lines.set(key, keyPlace.line);
      map[key] = this.build(value, keyPath, inAlias, keyPlace);
    }
    return map;
  }

  #placeOf(node: unknown): Place | undefined {
    if (typeof node !== 'object' || node === null || !('range' in node)) return undefined;
    const { range } = node;
    if (!Array.isArray(range) || typeof range[0] !== 'number') return undefined;
    return placeAt(this.#lineCounter, range[0]);
  }

  #add(code: string, path: KeyPath, place: Place, message: string, suggestion: string | null): void {
    if (this.problems.length >= maximumProblems) return;
    const { line, column } = place;
    this.problems.push({ code, severity: 'error', path: formatKeyPath(path), line, column, message, suggestion });
  }
}

const fileStart: Place = { line: 1, column: 1 };

function placeAt(lineCounter: LineCounter, offset: number): Place {
  const { line, col } = lineCounter.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

function syntaxProblem(place: Place, message: string, suggestion: string | null): InventoryProblem {
  return {
    code: 'inventory-syntax',
    severity: 'error',
    path: '',
    line: place.line,
    column: place.column,
    message,
    suggestion,
  };
}

/** The library's words for programmers, put for people where they are common. */
function wordsOf(code: string, message: string): readonly [message: string, suggestion: string | null] {
  switch (code) {
    case 'TAB_AS_INDENT':
      return ['a tab stands where YAML wants blanks', 'two blanks for each level'];
    case 'TAG_RESOLVE_FAILED':
      return ['a tag (!…) is not for inventories', 'the plain value'];
    default: {
      const line = message.split('\n', 1)[0] ?? message;
      return [`not YAML: ${line.slice(0, 200)}`, null];
    }
  }
}
