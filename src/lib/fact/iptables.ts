import { answerLines, answerText, whyFailed } from './answer-text';
import { type Fact, type Known, known, shellCommand, unknown } from './fact';
import { parseIptablesSave, type SavedRuleset } from './iptables-save';

export type IptablesFrontEnd = 'nft' | 'legacy';

export interface IptablesPrograms {
  /** What a plain `iptables` is here; null when there is none. Programs without a word on it (before 1.8) are legacy. */
  readonly standard: IptablesFrontEnd | null;
  /** `1.8.9` */
  readonly version: string | null;
  /** Programs of each kind by their own names (`iptables-nft`, `iptables-legacy`). */
  readonly hasNft: boolean;
  readonly hasLegacy: boolean;
  /** flanneld from v0.27.0 in nftables mode ends without it. */
  readonly hasIp6tables: boolean;
  /** Is -w known (1.4.20)? */
  readonly waitsForLock: boolean;
  readonly hasNftProgram: boolean;
}

export const iptablesPrograms: Fact<IptablesPrograms> = {
  name: 'iptables-programs',
  command: shellCommand(
    'for p in iptables-nft iptables-legacy ip6tables nft; do command -v "$p" >/dev/null && echo "has $p"; done; iptables --version',
  ),
  requires: { root: 'none', programs: [['iptables']] },
  parse(output) {
    const lines = answerLines(output.stdout);
    const has = (program: string): boolean => lines.includes(`has ${program}`);
    const match = lines
      .map((line) => /^iptables v(\d{1,3}\.\d{1,3}(?:\.\d{1,3})?)\S*(?: \((nf_tables|legacy)\))?/.exec(line))
      .find((found) => found !== null);
    if (match === undefined && output.code !== 127) return whyFailed('iptables --version', output);
    const version = match?.[1] ?? null;
    return known({
      standard: match === undefined ? null : match?.[2] === 'nf_tables' ? 'nft' : 'legacy',
      version,
      hasNft: has('iptables-nft'),
      hasLegacy: has('iptables-legacy'),
      hasIp6tables: has('ip6tables'),
      waitsForLock: version !== null && isAtLeast(version, [1, 4, 20]),
      hasNftProgram: has('nft'),
    });
  },
};

function isAtLeast(version: string, other: readonly number[]): boolean {
  const numbers = version.split('.').map(Number);
  for (const [index, number] of other.entries()) {
    const difference = (numbers[index] ?? 0) - number;
    if (difference !== 0) return difference > 0;
  }
  return true;
}

/** `not-in-use`: the kernel holds no table of this kind, and to ask for its rules would make some. */
export type IptablesRules =
  | { readonly state: 'read'; readonly ruleset: SavedRuleset }
  | { readonly state: 'not-in-use' };

/** Our own exit codes, above those of iptables (1 to 4). */
const notInUse = 41;
const noProgram = 42;

/**
 * Legacy: the kernel lists its legacy tables in ip_tables_names. iptables-legacy-save goes by that list too, so with an empty one it is
 * not called at all: the call alone would load ip_tables. Only root can read the list.
 */
const legacyScript = `six=
[ "$1" = 6 ] && six=6
n=/proc/net/ip\${six}_tables_names
[ -e "$n" ] || exit ${notInUse}
t=$(cat "$n") || exit 1
[ -n "$t" ] || exit ${notInUse}
p=ip\${six}tables-legacy-save
if ! command -v "$p" >/dev/null; then
p=ip\${six}tables-save
command -v "$p" >/dev/null || exit ${noProgram}
case $("$p" --version) in *nf_tables*) exit ${noProgram} ;; esac
fi
"$p" -c`;

/** nft: asked where it is the standard, or where nf_tables is at work anyway (a module, or part of a kernel without modules). */
const nftScript = `six=
[ "$1" = 6 ] && six=6
p=ip\${six}tables-nft-save s=ip\${six}tables-save
v=$("$s" --version 2>/dev/null)
case $v in
*nf_tables*) command -v "$p" >/dev/null || p=$s ;;
*)
[ ! -e /proc/modules ] || grep -q '^nf_tables ' /proc/modules || exit ${notInUse}
command -v "$p" >/dev/null || exit ${noProgram} ;;
esac
"$p" -c`;

/** The rules of one front end with their counters. Both may be at work at once in the same kernel. */
export function iptablesRules(frontEnd: IptablesFrontEnd, family: 4 | 6 = 4): Fact<IptablesRules> {
  const program = `${family === 6 ? 'ip6' : 'ip'}tables-${frontEnd}-save`;
  return {
    name: `iptables-rules-${frontEnd}${family === 6 ? '-ipv6' : ''}`,
    command: {
      ...shellCommand(frontEnd === 'legacy' ? legacyScript : nftScript, String(family)),
      // kube-proxy makes tens of thousands of rules.
      maxOutputBytes: 8 * 1024 * 1024,
    },
    requires: { root: 'all', programs: [[program, family === 6 ? 'ip6tables-save' : 'iptables-save']] },
    parse(output): Known<IptablesRules> {
      if (output.code === notInUse) return known({ state: 'not-in-use' });
      if (output.code === noProgram)
        return unknown(`${frontEnd} tables may hold rules, and there is no ${program} to show them`);
      if (output.code !== 0) return whyFailed(program, output);
      const ruleset = parseIptablesSave(answerText(output.stdout));
      const [strange] = ruleset.strangeLines;
      if (strange !== undefined) {
        return unknown(
          `${program}: line ${strange.line} is none that iptables-save writes: ${strange.text.slice(0, 100)}`,
        );
      }
      return known({ state: 'read', ruleset });
    },
  };
}
