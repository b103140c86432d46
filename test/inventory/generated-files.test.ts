import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { keyReference } from '../../src/lib/inventory/key-reference';
import { inventoryReferenceMarkdown } from '../../src/lib/inventory/reference-markdown';
import { inventoryJsonSchema } from '../../src/lib/inventory/schema';

// NETCTL_WRITE_GENERATED=1 npx vitest run test/inventory/generated-files.test.ts writes them anew.
const isWriting = process.env['NETCTL_WRITE_GENERATED'] === '1';
const root = join(__dirname, '..', '..');
const schemaFile = join(root, 'docs', 'schemas', 'netctl.schema.json');
const docsFile = join(root, 'docs', 'inventory.md');

describe('what is generated of the inventory', () => {
  test('docs/schemas/netctl.schema.json is the schema of this version', () => {
    const text = `${JSON.stringify(inventoryJsonSchema(), null, 2)}\n`;
    if (isWriting) writeFileSync(schemaFile, text);
    expect(readFileSync(schemaFile, 'utf8')).toBe(text);
  });

  test('the tables of docs/inventory.md are those of the reference', () => {
    const docs = readFileSync(docsFile, 'utf8');
    const marks = /(<!-- keys -->\n\n)[\s\S]*(\n\n<!-- \/keys -->)/;
    const wanted = docs.replace(
      marks,
      (_all, before: string, after: string) => before + inventoryReferenceMarkdown() + after,
    );
    if (isWriting) writeFileSync(docsFile, wanted);
    expect(docs).toMatch(marks);
    expect(readFileSync(docsFile, 'utf8')).toBe(wanted);
  });

  test('the reference has every key of the schema and no other', () => {
    const paths: string[] = [];
    collect(inventoryJsonSchema(), '', paths);
    expect(keyReference.map(({ path }) => path).sort()).toEqual(paths.sort());
  });

  test('every key is described in the schema', () => {
    const missing: string[] = [];
    collect(inventoryJsonSchema(), '', [], missing);
    expect(missing).toEqual([]);
  });
});

function collect(schema: unknown, path: string, paths: string[], undescribed: string[] = []): void {
  if (typeof schema !== 'object' || schema === null) return;
  if ('anyOf' in schema && Array.isArray(schema.anyOf)) {
    for (const branch of schema.anyOf) collect(branch, path, paths, undescribed);
  }
  if ('items' in schema) collect(schema.items, `${path}[]`, paths, undescribed);
  if (!('properties' in schema) || typeof schema.properties !== 'object' || schema.properties === null) return;
  for (const [key, child] of Object.entries(schema.properties)) {
    const childPath = path === '' ? key : `${path}.${key}`;
    paths.push(childPath);
    if (typeof child?.description !== 'string') undescribed.push(childPath);
    collect(child, childPath, paths, undescribed);
  }
}
