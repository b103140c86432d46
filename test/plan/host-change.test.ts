import { describe, expect, it } from 'vitest';
import { fileChanges, type SeenPath } from '../../src/lib/plan/host-change';

describe('a folder that ought to be on a node', () => {
  const folder = { kind: 'directory', path: '/etc/etcd/ssl', mode: 0o700, why: 'holds the certificates' } as const;
  const changes = (seen: SeenPath) => fileChanges([folder], () => seen).changes;

  it('is made where there is none', () => {
    expect(changes({ kind: 'absent' })).toEqual([
      { kind: 'folder', path: '/etc/etcd/ssl', mode: 0o700, why: 'holds the certificates' },
    ]);
  });

  it('keeps its mode where it is there: an etcd of that machine may read its own certificates in it', () => {
    expect(changes({ kind: 'folder', mode: 0o755 })).toEqual([]);
  });

  it('may be behind a link', () => {
    expect(changes({ kind: 'link', target: '/srv/ssl' })).toEqual([]);
  });
});
