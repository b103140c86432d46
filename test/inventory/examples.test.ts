import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { formatInventoryProblem } from '../../src/lib/inventory/inventory-problem';
import { keyReference } from '../../src/lib/inventory/key-reference';
import { readInventory } from '../../src/lib/inventory/parse-inventory';
import { inventoryTemplate } from '../../src/lib/inventory/template';

const root = join(__dirname, '..', '..');

interface Example {
  readonly where: string;
  readonly text: string;
}

/** Blocks that begin with ```yaml netctl.yaml, or whose first line is `# netctl.yaml`. */
function examplesIn(file: string): readonly Example[] {
  const text = readFileSync(file, 'utf8');
  return Array.from(text.matchAll(/^( *)```ya?ml([^\n]*)\n([\s\S]*?)^ *```/gm), (match) => {
    const [, indent = '', info = '', block = ''] = match;
    const line = text.slice(0, match.index).split('\n').length;
    return {
      info,
      where: `${relative(root, file)}:${line}`,
      text: block.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
    };
  }).filter(({ info, text: block }) => info.includes('netctl.yaml') || block.startsWith('# netctl.yaml'));
}

const files = [
  join(root, 'README.md'),
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).map((name) => join(root, 'docs', name)),
].filter((file) => file.endsWith('.md') && readable(file));

function readable(file: string): boolean {
  try {
    readFileSync(file);
    return true;
  } catch {
    return false;
  }
}

function problemsOf(text: string): readonly string[] {
  return readInventory(text, '/x/netctl.yaml').problems.map((problem) => formatInventoryProblem('', problem));
}

describe('examples of inventories in the documents are valid', () => {
  const examples = files.flatMap(examplesIn);
  it('there are some', () => expect(examples.length).toBeGreaterThanOrEqual(2));
  it.each(examples.map(({ where, text }) => [where, text] as const))('%s', (_where, text) => {
    expect(problemsOf(text)).toEqual([]);
  });
});

describe('what config init writes', () => {
  const nothing = { values: new Map(), nodes: [], full: false };

  it.each([
    ['the short one', nothing],
    ['the full one', { ...nothing, full: true }],
    [
      'one with values and nodes',
      {
        values: new Map<string, string | number | readonly string[]>([
          ['etcd.endpoints', ['https://[fd00::1]:2379']],
          ['etcd.user', 'no'],
          ['etcd.ca', 'with blank: and colon'],
          ['network.cidr', '172.7.0.0/16'],
          ['network.subnetLen', 24],
          ['network.backend.type', 'host-gw'],
        ]),
        nodes: [{ name: '12', address: '10.4.7.21' }, { name: 'b' }, { name: 'true', address: 'fd00::2' }],
        full: true,
      },
    ],
  ] as const)('is valid: %s', (_what, wish) => {
    expect(problemsOf(inventoryTemplate(wish))).toEqual([]);
  });

  it('keeps the values that were given', () => {
    const text = inventoryTemplate({
      values: new Map([
        ['etcd.user', 'no'],
        ['network.backend.type', 'vxlan'],
      ]),
      nodes: [{ name: '12' }],
      full: false,
    });
    const { inventory } = readInventory(text, '/x/netctl.yaml');
    expect(inventory?.etcd).toEqual({ endpoints: ['http://127.0.0.1:2379'], user: 'no' });
    expect(inventory?.network.backend?.type).toBe('vxlan');
    expect(inventory?.nodes.map(({ name }) => name)).toEqual(['12']);
  });

  it('holds every key in the full form, and is valid with all of them uncommented', () => {
    const text = inventoryTemplate({ ...nothing, full: true });
    const uncommented = text.replaceAll(/^( *)#(?=[a-zA-Z-])/gm, '$1');
    expect(problemsOf(uncommented)).toEqual([]);
    const { inventory } = readInventory(uncommented, '/x/netctl.yaml');
    const missing = keyReference.filter(
      ({ path }) => inventory?.lines.has(path.replace('nodes[]', 'nodes[0]')) !== true,
    );
    expect(missing.map(({ path }) => path)).toEqual([]);
  });

  it('explains every key of the full form above it, in lines that fit', () => {
    const lines = inventoryTemplate({ ...nothing, full: true }).split('\n');
    expect(lines.filter((line) => line.length > 100 && line.includes('# '))).toEqual([]);
    for (const [index, line] of lines.entries()) {
      if (/^ +#?(?:- )?[a-z][A-Za-z0-9]*:/.test(line)) expect(lines[index - 1]).toMatch(/^ *# /);
    }
  });
});
