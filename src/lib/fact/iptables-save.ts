/**
 * What `iptables-save` prints, read so that nothing is lost: every rule keeps its exact text.
 *
 * The grammar is that of iptables' own restore: words are parted by blanks, `"` opens and closes a quoted part, and a backslash
 * counts only within quotes (libxtables, `xtables_save_string` and `add_param_to_argv`, v1.4 to v1.8).
 */
export interface SavedRuleset {
  readonly tables: readonly SavedTable[];
  /** Tables that hold rules which this program cannot show: only `nft` can. */
  readonly incompatibleTables: readonly string[];
  /** Lines that are none of iptables-save's, with their numbers counted from 1; nothing is decided on such a ruleset. */
  readonly strangeLines: readonly { readonly line: number; readonly text: string }[];
}

export interface SavedTable {
  readonly name: string;
  readonly chains: readonly SavedChain[];
  /** In the order in which the kernel goes through them, chain by chain as printed. */
  readonly rules: readonly SavedRule[];
}

export interface SavedChain {
  readonly name: string;
  /** Null for a chain that somebody made. */
  readonly policy: string | null;
  readonly counters: Counters | null;
}

export interface Counters {
  readonly packets: number;
  readonly bytes: number;
}

export interface SavedRule {
  readonly chain: string;
  /** From `-A` to the line's end, byte for byte, without the counters. */
  readonly text: string;
  /** `-A` and the chain, then what the rule says; quotes and escapes are resolved. */
  readonly words: readonly string[];
  /** Null unless it was called with -c. */
  readonly counters: Counters | null;
}

export function parseIptablesSave(text: string): SavedRuleset {
  const tables: { name: string; chains: SavedChain[]; rules: SavedRule[] }[] = [];
  const incompatibleTables: string[] = [];
  const strangeLines: { line: number; text: string }[] = [];
  let table: (typeof tables)[number] | undefined;
  for (const [index, line] of text.split('\n').entries()) {
    if (line === '') continue;
    if (line.startsWith('#')) {
      const name = /^# Table [`']([^']{1,64})' (?:is incompatible|contains incompatible)/.exec(line)?.[1];
      if (name !== undefined) incompatibleTables.push(name);
      continue;
    }
    if (line === 'COMMIT') {
      table = undefined;
      continue;
    }
    const tableName = /^\*(\S{1,64})$/.exec(line)?.[1];
    if (tableName !== undefined) {
      table = { name: tableName, chains: [], rules: [] };
      tables.push(table);
      continue;
    }
    const chain = line.startsWith(':') ? chainOf(line) : undefined;
    const rule = line.startsWith(':') ? undefined : ruleOf(line);
    if (table !== undefined && chain !== undefined) table.chains.push(chain);
    else if (table !== undefined && rule !== undefined) table.rules.push(rule);
    else strangeLines.push({ line: index + 1, text: line });
  }
  // A text that was cut off must not pass for a short ruleset.
  if (table !== undefined)
    strangeLines.push({ line: text.split('\n').length, text: `(no COMMIT after *${table.name})` });
  return { tables, incompatibleTables, strangeLines };
}

function chainOf(line: string): SavedChain | undefined {
  const match = /^:(\S{1,64}) (\S{1,32})(?: \[(\d{1,20}):(\d{1,20})\])?\s*$/.exec(line);
  if (match === null) return undefined;
  const [, name = '', policy = '', packets, bytes] = match;
  return { name, policy: policy === '-' ? null : policy, counters: countersOf(packets, bytes) };
}

function ruleOf(line: string): SavedRule | undefined {
  const match = /^(?:\[(\d{1,20}):(\d{1,20})\] )?(-A .*)$/.exec(line);
  const [, packets, bytes, text] = match ?? [];
  if (text === undefined) return undefined;
  const words = ruleWords(text);
  const chain = words?.[1];
  if (words === undefined || chain === undefined) return undefined;
  return { chain, text, words, counters: countersOf(packets, bytes) };
}

/** The kernel counts in 64 bits; beyond 2^53 the number is the nearest that JavaScript has. */
function countersOf(packets: string | undefined, bytes: string | undefined): Counters | null {
  return packets === undefined || bytes === undefined ? null : { packets: Number(packets), bytes: Number(bytes) };
}

/** The words of a rule as iptables-restore takes them; `undefined` when a quote does not end. */
export function ruleWords(text: string): readonly string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  let isQuoted = false;
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (isQuoted) {
      if (character === '\\' && at + 1 < text.length) {
        at += 1;
        word = (word ?? '') + text.charAt(at);
      } else if (character === '"') isQuoted = false;
      else word = (word ?? '') + character;
    } else if (character === '"') {
      isQuoted = true;
      word ??= '';
    } else if (character === ' ' || character === '\t') {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + character;
  }
  if (isQuoted) return undefined;
  if (word !== undefined) words.push(word);
  return words;
}

/** Words as a line for iptables-restore, quoted where iptables-save would quote, or where a word could be misread. */
export function ruleText(words: readonly string[]): string {
  return words
    .map((word) => (word !== '' && !/[\s"'\\]/.test(word) ? word : `"${word.replaceAll(/["\\']/g, '\\$&')}"`))
    .join(' ');
}

/** What follows `-C CHAIN`, `-D CHAIN` or `-I CHAIN` to mean exactly this rule, as words of a command. */
export function ruleSpecification(rule: SavedRule): readonly string[] {
  return rule.words.slice(2);
}

/** Equal for rules that say the same in the same chain, whatever their counters and quotes. */
export function ruleKey({ words }: SavedRule): string {
  return words.join('\n');
}

export function tableOf(ruleset: SavedRuleset, name: string): SavedTable | undefined {
  return ruleset.tables.find((table) => table.name === name);
}

/** The rules of one chain in their order; a rule's number for `iptables -I` and `-D` is its place counted from 1. */
export function rulesOfChain(table: SavedTable | undefined, chain: string): readonly SavedRule[] {
  return table?.rules.filter((rule) => rule.chain === chain) ?? [];
}
