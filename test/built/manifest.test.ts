import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { cleanEnv, ensureBuilt, root, runToEnd } from '../support/built';

const env = cleanEnv(root);

async function evaluate(script: string): Promise<unknown> {
  const { stdout, stderr } = await runToEnd([process.execPath, '--input-type=module', '-e', script], {
    env,
    cwd: root,
  });
  expect(stderr).toBe('');
  return JSON.parse(stdout);
}

beforeAll(ensureBuilt);

describe('the bundles', () => {
  it('are ASCII, as bin/run.js reads them, and mean the same', async () => {
    const bundles = readdirSync(join(root, 'dist')).filter((file) => file.endsWith('.cjs'));
    expect(bundles).toEqual(expect.arrayContaining(['netctl.cjs', 'etcd.cjs', 'yaml.cjs']));
    for (const bundle of bundles) {
      const bytes = readFileSync(join(root, 'dist', bundle));
      expect(
        bytes.every((byte) => byte < 0x80),
        bundle,
      ).toBe(true);
    }
    // The glyphs of our own views stand in a regular expression of text-width.ts.
    const bundle = readFileSync(join(root, 'dist/netctl.cjs'), 'latin1');
    const [narrow = ''] = /narrow = (\/\^.*?\/);/.exec(bundle)?.slice(1) ?? [];
    expect(narrow).toContain('\\u2026');
    expect(new RegExp(narrow.slice(1, -1)).test('a…→█')).toBe(true);
  });
});

describe('the manifest', () => {
  it('is what the sources say', async () => {
    const shipped: unknown = JSON.parse(readFileSync(join(root, 'oclif.manifest.json'), 'utf8'));
    const script = `import { manifest } from './scripts/manifest.mjs'; console.log(JSON.stringify(await manifest()))`;
    expect(shipped).toEqual(await evaluate(script));
  });

  it('names every command of the bundle, as oclif itself finds them through package.json', async () => {
    const script = `
      import oclif from '@oclif/core';
      const config = await oclif.Config.load(process.cwd());
      const loaded = await Promise.all(config.commands.map(async (command) => (await command.load()).id));
      console.log(JSON.stringify({ ids: config.commandIDs, loaded, aliases: config.commands.flatMap(({ aliases }) => aliases) }));`;
    const found = await evaluate(script);
    const { commands } = JSON.parse(readFileSync(join(root, 'oclif.manifest.json'), 'utf8'));
    expect(found).toMatchObject({
      ids: expect.arrayContaining(Object.keys(commands)),
      loaded: expect.arrayContaining(Object.keys(commands)),
    });
  });

  it('holds a description of every topic and a summary of every command, argument and flag', () => {
    const { commands } = JSON.parse(readFileSync(join(root, 'oclif.manifest.json'), 'utf8'));
    const { oclif } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const ids: readonly string[] = Object.keys(commands);
    const topics = new Set(ids.filter((id) => id.includes(':')).map((id) => id.split(':')[0]));
    expect(Object.keys(oclif.topics)).toEqual(expect.arrayContaining([...topics]));
    for (const id of ids) {
      const { summary, flags, args } = commands[id];
      expect(summary, id).toMatch(/^[A-Z].*\.$/);
      for (const { name, ...thing } of [
        ...Object.values<{ name: string; summary?: string; description?: string }>(flags),
        ...Object.values<{ name: string; description?: string }>(args),
      ]) {
        expect(thing, `${id} ${name}`).toSatisfy(
          ({ summary, description }: { summary?: string; description?: string }) => Boolean(summary ?? description),
        );
      }
    }
  });
});
