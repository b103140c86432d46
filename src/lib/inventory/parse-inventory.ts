import { InvalidInput } from '../errors';
import { checkInventory } from './check-inventory';
import type { Inventory } from './inventory';
import { formatInventoryProblem, type InventoryProblem } from './inventory-problem';
import { maximumInventoryBytes } from './inventory-size';
import { salvage } from './salvage';
import { inventoryShape } from './shape';
import { shapeProblems } from './shape-problems';
import { toInventory } from './to-inventory';
import { readYaml } from './yaml-tree';

// The rest would be more of the same, and nobody reads it.
const maximumProblems = 100;

/** An inventory, or all that is wrong with it in order of the lines. `inventory` is there when `problems` is empty. */
export interface InventoryReading {
  readonly inventory: Inventory | undefined;
  readonly problems: readonly InventoryProblem[];
}

/**
 * Reads a `netctl.yaml`. Never throws for any text or bytes.
 * @param file its path: relative paths in it are taken from its folder
 */
export function readInventory(content: string | Uint8Array, file: string): InventoryReading {
  const whole = (code: string, message: string, suggestion: string | null): InventoryReading => ({
    inventory: undefined,
    problems: [{ code, severity: 'error', path: '', line: 1, column: 1, message, suggestion }],
  });
  if (content.length > maximumInventoryBytes) {
    return whole(
      'inventory-too-large',
      `holds ${content.length} bytes; an inventory has at most ${maximumInventoryBytes}`,
      null,
    );
  }
  const text = typeof content === 'string' ? content : decode(content);
  if (text === undefined) return whole('inventory-syntax', notUtf8(content), 'it in UTF-8');
  const tree = readYaml(text.startsWith('\ufeff') ? text.slice(1) : text);
  if (tree.value === undefined) return { inventory: undefined, problems: sorted(tree.problems) };
  if (tree.value === null) {
    return whole('inventory-empty', 'holds no setting at all', 'etcd: with its endpoints, or `netctl config init`');
  }
  const { value, places } = tree;
  const parsed = inventoryShape.safeParse(value);
  if (parsed.success) {
    const inventory = toInventory(parsed.data, file, places);
    const problems = sorted([...tree.problems, ...checkInventory(inventory, places)]);
    return problems.length === 0 ? { inventory, problems } : { inventory: undefined, problems };
  }
  const { issues } = parsed.error;
  const told = new Set(tree.problems.map((problem) => problem.path));
  const shape = shapeProblems(issues, value, places).filter((problem) => !told.has(problem.path));
  const problems = [...tree.problems, ...shape];
  salvage(value, issues);
  const rest = inventoryShape.safeParse(value);
  if (rest.success) problems.push(...checkInventory(toInventory(rest.data, file, places), places));
  return { inventory: undefined, problems: sorted(problems) };
}

/**
 * Reads a `netctl.yaml`.
 * @param file its path; `shownAs` is what messages call it
 * @throws InvalidInput `inventory-invalid`, whose details are all problems, one a line: `netctl.yaml:12:5 nodes[2].subnet: …`
 */
export function parseInventory(content: string | Uint8Array, file: string, shownAs = file): Inventory {
  const { inventory, problems } = readInventory(content, file);
  if (inventory !== undefined) return inventory;
  throw inventoryInvalid(problems, shownAs);
}

function inventoryInvalid(problems: readonly InventoryProblem[], file: string): InvalidInput {
  const more = problems.length > maximumProblems ? [`and ${problems.length - maximumProblems} more`] : [];
  const count = problems.length === 1 ? 'one problem' : `${problems.length} problems`;
  return new InvalidInput({
    code: 'inventory-invalid',
    message: `${file} is not a valid inventory: ${count}`,
    details: [...problems.slice(0, maximumProblems).map((problem) => formatInventoryProblem(file, problem)), ...more],
    next: [
      'Mend the lines above; `netctl config validate` looks again, `netctl config init --full -` prints every key explained',
    ],
  });
}

function sorted(problems: readonly InventoryProblem[]): readonly InventoryProblem[] {
  return [...problems].sort((a, b) => a.line - b.line || a.column - b.column);
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function notUtf8(content: string | Uint8Array): string {
  const [first, second] = [content[0], content[1]];
  const isUtf16 = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
  return isUtf16 ? 'is UTF-16; an inventory is UTF-8' : 'is not UTF-8 text';
}
