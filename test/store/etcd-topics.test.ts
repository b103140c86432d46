import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { exitCodes } from '../../src/lib/errors';
import { etcdTopics } from '../../src/lib/explain/etcd';

const room = join(import.meta.dirname, '../../src/lib/store');
const sources = readdirSync(room).map((file) => readFileSync(join(room, file), 'utf8'));

const exitOf: Readonly<Record<string, number>> = {
  InvalidInput: exitCodes.invalid,
  Unreachable: exitCodes.unreachable,
  ChangeFailed: exitCodes.failed,
  Conflict: exitCodes.conflict,
};

describe('the topics about etcd', () => {
  it('are those of the codes that the store throws, with their exit', () => {
    const thrown = new Map<string, number | undefined>();
    for (const source of sources) {
      for (const [, maker, code] of source.matchAll(/new (\w+)\(\{\n(?:.*\n)??\s*code: '([a-z0-9-]+)'/g)) {
        if (maker !== undefined && code !== undefined) thrown.set(code, exitOf[maker]);
      }
      for (const [, kind, maker] of source.matchAll(/^ {2}'?([a-z0-9-]+)'?: \{\n {4}make: (\w+)/gm)) {
        if (maker !== undefined) thrown.set(`etcd-${kind}`, exitOf[maker]);
      }
      for (const [, code] of source.matchAll(/code: .*'(etcd-[a-z0-9-]+)'/g)) {
        if (code !== undefined && !thrown.has(code)) thrown.set(code, exitCodes.unreachable);
      }
    }
    expect(thrown.size).toBeGreaterThan(35);
    expect(new Map(etcdTopics.map(({ code, exit }) => [code, exit]))).toEqual(thrown);
  });

  it('stand there once and say what to do', () => {
    expect(new Set(etcdTopics.map(({ code }) => code)).size).toBe(etcdTopics.length);
    for (const { mend, causes, title } of etcdTopics) {
      expect(mend.length).toBeGreaterThan(0);
      expect(causes.length).toBeGreaterThan(0);
      expect(title).not.toMatch(/\.$/);
    }
  });
});
