import type { Known } from '../fact/fact';
import type { FileContent, FileFact } from '../fact/files';
import { readRule } from '../fact/iptables-rule';
import { parseIptablesSave, type SavedRule, type SavedRuleset } from '../fact/iptables-save';
import { cidrContains, type Ipv4Cidr } from '../net/cidr';
import { masqueradeComment } from '../net/masquerade-rule';
import type { Problem } from '../net/problem';
import { type NodeStep, type SeenPath, seenText, sha256Of } from './host-change';
import { dockerRuleOf } from './masquerade-rules';

/** Where distributions keep rules over a boot: iptables-services of Red Hat's, netfilter-persistent of Debian's. */
const places = [
  { file: '/etc/sysconfig/iptables', sign: '/etc/sysconfig/iptables-config' },
  { file: '/etc/iptables/rules.v4', sign: '/etc/iptables' },
] as const;

/** The files, and what tells that the distribution has them. */
export const savedRulesFiles: readonly string[] = places.flatMap(({ file, sign }) => [file, sign]);

type Texts = Known<ReadonlyMap<string, FileFact<FileContent>>>;

/** Chains that a daemon makes anew at its start, and whose rules are of no use, or do harm, after a boot. DOCKER-USER is people's. */
function isDynamicChain(name: string): boolean {
  return /^(DOCKER|FLANNEL|KUBE|CNI|cali)-?/.test(name) && name !== 'DOCKER-USER';
}

/** Docker's and flannel's rules, those of containers, and jumps into their chains. Ours stay: they are the intent. */
function isDynamic(rule: SavedRule): boolean {
  const { target, comment, inDevice, outDevice } = readRule(rule);
  if (comment === masqueradeComment && rule.chain === 'POSTROUTING') return false;
  if (isDynamicChain(rule.chain)) return true;
  if (target !== null && (isDynamicChain(target) || target === 'DOCKER-USER')) return true;
  if (comment !== null && /^flanneld? (masq|forward)$/.test(comment)) return true;
  const devices = [inDevice?.value, outDevice?.value];
  // Only in chains that Docker writes to: what somebody allows or forbids docker0 in a chain of his own is his.
  const isDockersChain = rule.chain === 'FORWARD' || rule.chain === 'POSTROUTING' || rule.chain === 'PREROUTING';
  return isDockersChain && devices.some((device) => device !== undefined && /^(docker0|br-[0-9a-f]{12})$/.test(device));
}

/** The rules without what daemons put there themselves, in the words of iptables-restore. No date: the same rules give the same bytes. */
export function savedRulesText(ruleset: SavedRuleset): string {
  const lines = [
    '# Written by netctl fix-masquerade --save: rules of Docker and flannel are left out, they make them themselves.',
  ];
  for (const { name, chains, rules } of ruleset.tables) {
    const kept = chains.filter((chain) => !isDynamicChain(chain.name));
    lines.push(
      `*${name}`,
      ...kept.map((chain) => `:${chain.name} ${chain.policy ?? '-'} [0:0]`),
      ...rules.filter((rule) => !isDynamic(rule)).map(({ text }) => text.trimEnd()),
      'COMMIT',
    );
  }
  return `${lines.join('\n')}\n`;
}

/** Writes the file that the distribution loads at boot; a problem instead where there is none to write. */
export function savedRulesStep(
  ruleset: SavedRuleset,
  texts: Texts,
  network: Ipv4Cidr,
): { readonly step: NodeStep | null; readonly problems: readonly Problem[] } {
  const place = placeOf(texts);
  if (place === null) {
    return {
      step: null,
      problems: [
        {
          code: 'save-nowhere',
          severity: 'warning',
          path: '--save',
          message:
            'there is no /etc/sysconfig/iptables (iptables-services) and no /etc/iptables (netfilter-persistent), so nothing loads saved rules',
          suggestion: 'Leave --save out: netctl-masquerade.service keeps the rules without a file.',
        },
      ],
    };
  }
  const { file, before } = place;
  const content = Buffer.from(savedRulesText(ruleset));
  const isRight = before.kind === 'file' && before.sha256 === sha256Of(content);
  const stale = before.kind === 'file' ? staleIn(before.text ?? '', network) : [];
  return {
    problems: [],
    step: isRight
      ? null
      : {
          title: 'rules that are loaded at boot',
          changes: [
            {
              kind: 'write',
              path: file,
              mode: before.kind === 'file' ? before.mode : 0o600,
              content,
              before,
              isSecret: false,
              why: `the rules as they are then, without those of Docker and flannel${stale.length > 0 ? ', whose old ones stand there now' : ''}`,
            },
          ],
          mind: [],
        },
  };
}

/** Docker's rule in a saved file comes back when that is loaded. */
export function staleSavedRules(texts: Texts, network: Ipv4Cidr): readonly Problem[] {
  return places.flatMap(({ file }): readonly Problem[] => {
    const seen = seenText(texts, file);
    const [rule] = seen?.kind === 'file' ? staleIn(seen.text ?? '', network) : [];
    if (rule === undefined) return [];
    return [
      {
        code: 'saved-rules-stale',
        severity: 'warning',
        path: file,
        message: `${file} holds Docker's own rule, which loading it brings back: ${rule.text}`,
        suggestion: 'netctl fix-masquerade --save',
      },
    ];
  });
}

function staleIn(text: string, network: Ipv4Cidr): readonly SavedRule[] {
  return parseIptablesSave(text).tables.flatMap(({ name, rules }) =>
    name !== 'nat'
      ? []
      : rules.filter((rule) => {
          const bridge = dockerRuleOf(rule);
          return bridge !== undefined && cidrContains(network, bridge.subnet);
        }),
  );
}

function placeOf(texts: Texts): { readonly file: string; readonly before: SeenPath } | null {
  for (const { file, sign } of places) {
    const before = seenText(texts, file);
    const hint = seenText(texts, sign);
    if (before?.kind === 'file') return { file, before };
    if (before?.kind === 'absent' && hint !== undefined && hint.kind !== 'absent') return { file, before };
  }
  return null;
}
