// What oclif.manifest.json holds, made from the sources by oclif's own code.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const root = fileURLToPath(new URL('..', import.meta.url));

export function packageJson() {
  return JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
}

export async function manifest() {
  const { Plugin } = require('@oclif/core');
  const pjson = packageJson();
  pjson.oclif.commands.target = './scripts/command-table.cjs';
  const options = { root, pjson, isRoot: true, type: 'core', ignoreManifest: true, errorOnManifestCreate: true };
  const plugin = new Plugin({ ...options, respectNoCacheDefault: true });
  await plugin.load();
  // Through JSON, so that it is what a reader of the file gets: no functions, nothing undefined.
  return JSON.parse(JSON.stringify(plugin.manifest));
}

/** Descriptions by the words of a topic: `network`, `a:b`. */
export function topicTexts(topics, before = '') {
  return Object.entries(topics ?? {}).reduce(
    (texts, [name, { description, subtopics }]) =>
      Object.assign(texts, { [`${before}${name}`]: description }, topicTexts(subtopics, `${before}${name}:`)),
    {},
  );
}
