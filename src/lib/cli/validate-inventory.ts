import { reviewConfig } from '../check/network-config';
import { InvalidInput } from '../errors';
import type { Inventory } from '../inventory/inventory';
import type { InventoryProblem } from '../inventory/inventory-problem';
import { networkWishOf } from '../inventory/network-wish';
import { readInventory } from '../inventory/parse-inventory';
import { newestFlannel, parseFlannelVersion } from '../net/flannel-version';
import { canonicalConfig } from '../net/network-config';
import type { RecordView } from '../view/record';
import { avoidedByInventory } from './avoid';

export interface InventoryValidation {
  /** No problem of severity error. */
  readonly valid: boolean;
  readonly file: string;
  readonly problems: readonly InventoryProblem[];
}

/** Everything that can be said about an inventory without asking etcd or a node: its form, and what flanneld would make of its network. */
export function validateInventory(content: string | Uint8Array, file: string, shownAs: string): InventoryValidation {
  const { inventory, problems } = readInventory(content, file);
  const all = inventory === undefined ? problems : networkProblems(inventory);
  return { valid: all.every((problem) => problem.severity !== 'error'), file: shownAs, problems: all };
}

/** Keys of flannel's config by the keys of ours. */
const ourKeys: Readonly<Record<string, string>> = {
  Network: 'cidr',
  SubnetLen: 'subnetLen',
  SubnetMin: 'subnetMin',
  SubnetMax: 'subnetMax',
  IPv6Network: 'ipv6Cidr',
  IPv6SubnetLen: 'ipv6SubnetLen',
  IPv6SubnetMin: 'ipv6SubnetMin',
  IPv6SubnetMax: 'ipv6SubnetMax',
  EnableNFTables: 'enableNFTables',
  'Backend.Type': 'backend.type',
};

function networkProblems(inventory: Inventory): readonly InventoryProblem[] {
  const wish = networkWishOf(inventory);
  if (wish === undefined) return [];
  const at = (path: string): Pick<InventoryProblem, 'path' | 'line' | 'column'> => {
    const key = ourKeys[path] ?? (path.startsWith('Backend.') ? `backend.options.${path.slice(8)}` : '');
    const full = key === '' ? 'network' : `network.${key}`;
    return { path: full, line: inventory.lines.get(full) ?? inventory.lines.get('network') ?? 1, column: 1 };
  };
  const version =
    inventory.flannel.version === undefined ? newestFlannel : parseFlannelVersion(inventory.flannel.version);
  try {
    const review = reviewConfig(canonicalConfig(wish), version, {
      avoid: avoidedByInventory(inventory),
      nodes: inventory.nodes.length,
    });
    return review.problems
      .map((problem) => ({
        ...problem,
        ...at(problem.path),
        // Those are places in the JSON that was made of the inventory, which nobody has seen.
        message: problem.message.replace(/ \(line \d+, column \d+\)/g, ''),
        suggestion: problem.suggestion === null ? null : inOurWords(problem.suggestion),
      }))
      .sort((a, b) => a.line - b.line);
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    return [
      { code: error.code, severity: 'error', ...at(''), message: error.message, suggestion: error.next[0] ?? null },
    ];
  }
}

/** `"SubnetMax": "10.1.9.0"` → `subnetMax: 10.1.9.0`. */
function inOurWords(json: string): string {
  return json.replace(/"([A-Za-z0-9]+)": (?:"([^"]*)")?/g, (_all, name: string, text: string | undefined) => {
    const key = name === 'Type' ? 'type' : (ourKeys[name] ?? name);
    return `${key}: ${text ?? ''}`;
  });
}

export const inventoryValidationView: RecordView<InventoryValidation> = {
  kind: 'InventoryValidation',
  name: ({ valid }) => (valid ? 'valid' : 'invalid'),
  sections: [
    {
      lines: ({ file, valid }) => [
        ['inventory', file],
        ['verdict', valid ? { text: 'valid', tone: 'good' } : { text: 'not valid', tone: 'bad' }],
      ],
    },
  ],
};

/** Problems whose path begins with file, line and column, as compilers print them and editors jump to. */
export function located({ file, problems }: InventoryValidation): readonly InventoryProblem[] {
  return problems.map((problem) => ({
    ...problem,
    path: `${file}:${problem.line}:${problem.column}${problem.path === '' ? '' : ` ${problem.path}`}`,
  }));
}
