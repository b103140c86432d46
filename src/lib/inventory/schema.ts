import { toJSONSchema } from 'zod/v4/core';
import { keyReference } from './key-reference';
import { inventoryShape } from './shape';

/**
 * JSON Schema (draft 2020-12) of a `netctl.yaml`, for editors. It gives the same verdict as netctl on the form of every
 * value; what values have to do with each other (duplicates, overlaps) only netctl knows.
 */
export function inventoryJsonSchema(): Readonly<Record<string, unknown>> {
  const schema: Record<string, unknown> = { ...toJSONSchema(inventoryShape, { target: 'draft-2020-12' }) };
  const words = new Map(keyReference.map((entry) => [entry.path, entry]));
  describe(schema, '', words);
  const { $schema, ...rest } = schema;
  return {
    $schema,
    title: 'netctl inventory',
    description: 'netctl.yaml: how to reach etcd, the wanted network, and the nodes. See docs/inventory.md.',
    ...rest,
  };
}

function describe(schema: unknown, path: string, words: ReadonlyMap<string, { what: string; default?: string }>): void {
  if (!isRecord(schema)) return;
  const entry = words.get(path);
  if (entry !== undefined && schema['description'] === undefined) {
    const holds = entry.default === undefined ? '' : ` Default: ${entry.default}.`;
    schema['description'] = `${entry.what}${holds}`;
  }
  // A section may be empty: what it holds stands in the branch that is not null.
  if (Array.isArray(schema['anyOf'])) for (const branch of schema['anyOf']) describeBelow(branch, path, words);
  describeBelow(schema, path, words);
}

function describeBelow(
  schema: unknown,
  path: string,
  words: ReadonlyMap<string, { what: string; default?: string }>,
): void {
  if (!isRecord(schema)) return;
  if (isRecord(schema['properties'])) {
    for (const [key, child] of Object.entries(schema['properties']))
      describe(child, path === '' ? key : `${path}.${key}`, words);
  }
  if (isRecord(schema['items'])) describeBelow(schema['items'], `${path}[]`, words);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
