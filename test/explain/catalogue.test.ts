import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { exitCodes } from '../../src/lib/errors';
import { allTopics, areas, exitTopics } from '../../src/lib/explain/index';
import { root } from '../support/built';

const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !file.startsWith(join('lib', 'explain')))
  .map((file) => ({ file: `src/${file}`, text: readFileSync(join(root, 'src', file), 'utf8') }));

const word = "'([a-z][a-z0-9]*(?:-[a-z0-9]+)*)'";

/** Codes in `code: '…'`, both sides of a `?:` too, and as an argument where a function takes a `code`. */
function codesIn(text: string): readonly string[] {
  const fields = Array.from(text.matchAll(/\bcode: ([^,\n]*'[^,\n]*)/g), ([, value = '']) =>
    // What is compared in a `?:` is no code.
    value.replaceAll(/[!=]== '[^']*'/g, ''),
  );
  const named = fields.flatMap((value) => Array.from(value.matchAll(new RegExp(word, 'g')), ([, code = '']) => code));
  if (!/\bcode: string[,)]/.test(text)) return named;
  const calls = text.matchAll(/\b(?:at|report|whole|add|problem)\((?:[^'()]*, )?'([a-z][a-z0-9]*(?:-[a-z0-9]+)+)',/g);
  return [...named, ...Array.from(calls, ([, code = '']) => code)];
}

/** Codes that are put together, as in `code: \`etcd-${kind}\``: the beginning, and the keys of the file's table of kinds. */
function composedCodesIn(text: string): readonly string[] {
  const beginnings = Array.from(text.matchAll(/\bcode: [^,\n]*`([a-z-]+-)\$\{/g), ([, beginning = '']) => beginning);
  const kinds = Array.from(text.matchAll(/^ {2}'?([a-z][a-z0-9-]*)'?: \{$/gm), ([, kind = '']) => kind);
  return [...new Set(beginnings)].flatMap((beginning) => kinds.map((kind) => `${beginning}${kind}`));
}

const composed = new Set(sources.flatMap(({ text }) => composedCodesIn(text)));

describe('the catalogue of netctl explain', () => {
  it('has a topic for every code that stands in the sources', () => {
    const known = new Set(allTopics().map(({ code }) => code));
    const missing = sources.flatMap(({ file, text }) =>
      [...new Set([...codesIn(text), ...composedCodesIn(text)])]
        .filter((code) => !known.has(code))
        .map((code) => `${code} (${file})`),
    );
    expect(missing.sort()).toEqual([]);
  });

  it('has no topic whose code stands nowhere', () => {
    const unused = areas
      .flatMap(({ topics }) => topics)
      .filter(({ code }) => !composed.has(code) && !sources.some(({ text }) => text.includes(`'${code}'`)));
    expect(unused.map(({ code }) => code)).toEqual([]);
  });

  it('finds codes in all the ways that they are written', () => {
    expect(codesIn("{ code: 'plain-code', message }")).toEqual(['plain-code']);
    expect(codesIn("code: isOurs ? 'one-code' : 'other-code',")).toEqual(['one-code', 'other-code']);
    expect(
      codesIn("const at = (code: string, text: string) => 0; at('called-code', ''); at(path, 'far-code', '');"),
    ).toEqual(['called-code', 'far-code']);
    expect(codesIn("code: found === 'no-code' ? 'one-code' : 'other-code',")).toEqual(['one-code', 'other-code']);
    expect(composedCodesIn(`const rules = {\n  refused: {\n  'no-answer': {\n};\ncode: \`etcd-\${kind}\`,`)).toEqual([
      'etcd-refused',
      'etcd-no-answer',
    ]);
    expect(codesIn("{ kind: 'no-code' }")).toEqual([]);
  });

  it('explains each code once', () => {
    const codes = allTopics().map(({ code }) => code);
    expect(codes.filter((code, index) => codes.indexOf(code) !== index)).toEqual([]);
  });

  it('says what each code means, what leads to it and what to do', () => {
    for (const topic of areas.flatMap(({ topics }) => topics)) {
      expect(topic.code).toMatch(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/);
      expect(topic.title, topic.code).toMatch(/^.{4,}[^.]$/);
      expect(topic.meaning, topic.code).toMatch(/[.!]$/);
      expect(topic.causes.length, topic.code).toBeGreaterThan(0);
      expect(topic.mend.length, topic.code).toBeGreaterThan(0);
    }
  });

  it('points only to codes that it explains', () => {
    const known = new Set(allTopics().map(({ code }) => code));
    const pointers = allTopics().flatMap(({ code, see = [] }) => see.map((to) => ({ code, to })));
    const isCode = (to: string): boolean => /^[a-z0-9]+(-[a-z0-9]+)*$/.test(to);
    expect(pointers.filter(({ to }) => isCode(to) && !known.has(to))).toEqual([]);
  });

  it('has every exit code of errors.ts, in order, and Ctrl-C', () => {
    expect(exitTopics.map(({ exit }) => exit)).toEqual([...Object.values(exitCodes), 130]);
    expect(exitTopics.map(({ code }) => code)).toEqual(exitTopics.map(({ exit }) => String(exit)));
  });
});
