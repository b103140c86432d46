import { resolve } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { stringify } from 'yaml';
import { InvalidInput } from '../../src/lib/errors';
import { parseInventory, readInventory } from '../../src/lib/inventory/parse-inventory';
import { arbitraryInventory } from './arbitrary-inventory';

const file = '/etc/netctl.yaml';

/** Texts that look like an inventory often enough to get past the first line. */
const yamlish = fc
  .array(
    fc.constantFrom(
      'etcd:',
      'nodes:',
      'network:',
      'ssh:',
      '  ',
      '- ',
      'name: ',
      'a',
      ': ',
      '\n',
      '[',
      ']',
      '{',
      '}',
      '&x',
      '*x',
      '!t',
      '"',
      "'",
      '|',
      '#',
      '---',
      '\t',
      'endpoints: ',
      'subnet: ',
      '10.1.0.0/24',
      'null',
      '__proto__: ',
      '<<: ',
      '? ',
      '\u0000',
      '\ufeff',
      '%',
      '@',
      '🦊',
      ',',
    ),
    { maxLength: 60 },
  )
  .map((words) => words.join(''));

it('any text gives an inventory or InvalidInput with problems, never another error', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.string({ unit: 'binary' }), yamlish, fc.uint8Array({ maxLength: 200 })),
      (content) => {
        try {
          parseInventory(content, file);
        } catch (error) {
          if (!(error instanceof InvalidInput)) throw error;
          expect(error.details.length).toBeGreaterThan(0);
        }
      },
    ),
    { numRuns: 2_000 },
  );
});

it('any value in the place of any other gives problems that name a line of the file', () => {
  const anything = fc.oneof(
    fc.jsonValue(),
    fc.string(),
    fc.double(),
    fc.constantFrom(null, {}, [], [[]], 'yes', '1', -1, Number.POSITIVE_INFINITY),
  );
  fc.assert(
    fc.property(arbitraryInventory, anything, fc.nat(), (inventory, value, seed) => {
      const copy = structuredClone(inventory);
      replaceLeaf(copy, value, seed);
      const text = stringify(copy);
      const lineCount = text.split('\n').length;
      for (const problem of readInventory(text, file).problems) {
        expect(problem.line).toBeGreaterThanOrEqual(1);
        expect(problem.line).toBeLessThanOrEqual(lineCount);
        expect(problem.message).not.toMatch(/undefined|\[object|Invalid input/);
      }
    }),
    { numRuns: 2_000 },
  );
});

it('a valid inventory is read back as what was written', () => {
  fc.assert(
    fc.property(arbitraryInventory, (written) => {
      const read = parseInventory(stringify(written), file);
      for (const section of ['etcd', 'network', 'flannel', 'docker', 'ssh'] as const) {
        for (const [key, value] of Object.entries(written[section] ?? {})) {
          const got = Object.getOwnPropertyDescriptor(read[section], key)?.value;
          if (key === 'ca' || key === 'archive') expect(got).toBe(resolve('/etc', String(value)));
          else if (key === 'backend') expect(got).toEqual({ options: {}, ...value });
          else expect(got).toEqual(value);
        }
      }
      const nodes = Array.isArray(written['nodes']) ? written['nodes'] : [];
      expect(read.nodes.map(({ name, address, subnet }) => ({ name, address, subnet }))).toEqual(
        nodes.map(({ name, address, subnet }) => ({ name, address, subnet })),
      );
      for (const [index, node] of nodes.entries()) {
        expect(read.nodes[index]?.ssh).toEqual({ ...Object(written['ssh']), ...node.ssh });
        expect(read.nodes[index]?.labels).toEqual(node.labels ?? []);
      }
    }),
    { numRuns: 500 },
  );
});

function replaceLeaf(root: unknown, value: unknown, seed: number): void {
  const leaves: { readonly parent: Record<string, unknown>; readonly key: string }[] = [];
  const open: unknown[] = [root];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (typeof next !== 'object' || next === null) continue;
    for (const [key, child] of Object.entries(next)) {
      leaves.push({ parent: Object(next), key });
      open.push(child);
    }
  }
  const leaf = leaves[seed % Math.max(1, leaves.length)];
  if (leaf !== undefined) leaf.parent[leaf.key] = value;
}
