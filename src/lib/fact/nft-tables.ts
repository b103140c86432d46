import { answerText, whyFailed } from './answer-text';
import { type Fact, known, shellCommand } from './fact';

export interface NftTable {
  readonly family: string;
  readonly name: string;
  /** Null for a table that was only named: its rules were not asked for. */
  readonly chains: readonly NftChain[] | null;
}

export interface NftChain {
  readonly name: string;
  /** Null for a chain that only other chains jump to. */
  readonly hook: NftHook | null;
  readonly rules: readonly NftRule[];
}

export interface NftHook {
  /** `filter`, `nat`, `route` */
  readonly type: string;
  /** `prerouting`, `forward`, `postrouting`, … */
  readonly hook: string;
  /** As printed: `srcnat`, `-100`, `filter + 10`. */
  readonly priority: string;
  /** `accept` or `drop`. */
  readonly policy: string;
}

export interface NftRule {
  /** One line as nft prints it, without comment and handle. */
  readonly text: string;
  /** What `nft delete rule` takes. */
  readonly handle: number | null;
  readonly comment: string | null;
}

/** Every table by name, and the rules of those that Docker (29 and later) and flannel (0.25 and later) make for themselves. */
export const nftTables: Fact<readonly NftTable[]> = {
  name: 'nft-tables',
  command: {
    // Without nf_tables there is nothing to list, and listing would load it.
    ...shellCommand(`command -v nft >/dev/null || exit 127
[ ! -e /proc/modules ] || grep -q '^nf_tables ' /proc/modules || exit 0
l=$(nft list tables) || exit
printf '%s\\n' "$l"
printf '%s\\n' "$l" | while read -r k f n x; do
case "$n" in docker-bridges|flannel-ipv4|flannel-ipv6) nft -a list table "$f" "$n" ;; esac
done`),
    maxOutputBytes: 2 * 1024 * 1024,
  },
  requires: { root: 'all', programs: [['nft']] },
  parse(output) {
    if (output.code !== 0) return whyFailed('nft', output);
    return known(parseNft(answerText(output.stdout)));
  },
};

/** Reads `nft list tables` and `nft -a list table`: every name, and the chains of the tables that are spelt out. */
export function parseNft(text: string): readonly NftTable[] {
  const tables = new Map<string, { family: string; name: string; chains: MutableChain[] | null }>();
  let chains: MutableChain[] | undefined;
  let chain: MutableChain | undefined;
  /** Lines inside a map, a set or another block that is no chain. */
  let skipped = 0;
  for (const line of logicalLines(text)) {
    const { body, handle } = withoutHandle(line);
    const head = /^table (\w{1,16}) (\S{1,64})( \{)?$/.exec(body);
    if (head !== null) {
      const [, family = '', name = '', opens] = head;
      const key = `${family} ${name}`;
      const table = tables.get(key) ?? { family, name, chains: null };
      tables.set(key, table);
      if (opens !== undefined) {
        table.chains = [];
        chains = table.chains;
        chain = undefined;
        skipped = 0;
      }
      continue;
    }
    if (chains === undefined) continue;
    if (skipped > 0) {
      if (body === '}') skipped -= 1;
      continue;
    }
    const chainName = /^chain (\S{1,64}) \{$/.exec(body)?.[1];
    if (chainName !== undefined && chain === undefined) {
      chain = { name: chainName, hook: null, rules: [] };
      chains.push(chain);
    } else if (body === '}') {
      if (chain === undefined) chains = undefined;
      chain = undefined;
    } else if (chain === undefined) {
      if (body.endsWith('{')) skipped = 1;
    } else {
      const hook = /^type (\w+) hook (\w+)(?: device \S+)? priority ([^;]{1,32}); policy (\w+);$/.exec(body);
      if (hook !== null) {
        const [, type = '', name = '', priority = '', policy = ''] = hook;
        chain.hook = { type, hook: name, priority, policy };
      } else {
        const comment = / comment "([^"]*)"$/.exec(body);
        chain.rules.push({
          text: comment === null ? body : body.slice(0, comment.index),
          handle,
          comment: comment?.[1] ?? null,
        });
      }
    }
  }
  return [...tables.values()];
}

interface MutableChain {
  readonly name: string;
  hook: NftHook | null;
  readonly rules: NftRule[];
}

/** nft breaks long sets over lines: a line goes on until its braces are even, unless it opens a block. */
function logicalLines(text: string): readonly string[] {
  const lines: string[] = [];
  let open = '';
  for (const raw of text.split('\n')) {
    const line = raw.trim();
    if (line === '' || (open === '' && line.startsWith('#'))) continue;
    const whole = open === '' ? line : `${open} ${line}`;
    const opensBlock = /^(table|chain|map|set|counter|flowtable|ct \w+) .*\{(?: # handle \d+)?$/.test(whole);
    if (!opensBlock && depthOf(whole) > 0 && whole.length < 64 * 1024) open = whole;
    else {
      lines.push(whole);
      open = '';
    }
  }
  if (open !== '') lines.push(open);
  return lines;
}

function depthOf(line: string): number {
  let depth = 0;
  let isQuoted = false;
  for (const character of line) {
    if (character === '"') isQuoted = !isQuoted;
    else if (!isQuoted && character === '{') depth += 1;
    else if (!isQuoted && character === '}') depth -= 1;
  }
  return depth;
}

function withoutHandle(line: string): { readonly body: string; readonly handle: number | null } {
  const match = / # handle (\d{1,15})$/.exec(line);
  return match === null ? { body: line, handle: null } : { body: line.slice(0, match.index), handle: Number(match[1]) };
}
