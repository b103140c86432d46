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

describe('a file with a password', () => {
  const path = '/etc/default/flanneld';
  const seen = (text: string): SeenPath => ({ kind: 'file', sha256: '', mode: 0o600, text });
  const file = { kind: 'file', path, mode: 0o644, content: 'FLANNELD_IFACE=eth0\n', isSecret: false, why: '' } as const;

  it('is not shown by the change that takes the password out', () => {
    const [change] = fileChanges([file], () => seen('FLANNELD_ETCD_PASSWORD="heron"\n')).changes;
    expect(change).toMatchObject({ kind: 'write', isSecret: true });
    const [plain] = fileChanges([file], () => seen('FLANNELD_IFACE=eth1\n')).changes;
    expect(plain).toMatchObject({ kind: 'write', isSecret: false });
  });
});
