import { isRecord } from './etcd-v2-member';
import type { Entry } from './store';

/** A node of the v2 tree, as etcd's JSON has it. */
export type Node =
  | { readonly kind: 'file'; readonly entry: Entry }
  | { readonly kind: 'directory'; readonly key: string; readonly index: string; readonly children: readonly unknown[] };

/** Undefined when it is not a node. */
export function nodeOf(json: unknown): Node | undefined {
  if (!isRecord(json)) return undefined;
  const { key, value, dir, nodes, modifiedIndex, createdIndex, ttl, expiration } = json;
  const index = typeof modifiedIndex === 'number' ? String(modifiedIndex) : '0';
  // The root has no key.
  const name = typeof key === 'string' ? key : '/';
  if (dir === true) return { kind: 'directory', key: name, index, children: Array.isArray(nodes) ? nodes : [] };
  const base = {
    key: name,
    // A node that was deleted has no value.
    value: Buffer.from(typeof value === 'string' ? value : ''),
    revision: index,
    createdRevision: typeof createdIndex === 'number' ? String(createdIndex) : '0',
  };
  const permanent = typeof expiration !== 'string';
  return {
    kind: 'file',
    entry: permanent
      ? { ...base, permanent }
      : { ...base, permanent, ttlSeconds: typeof ttl === 'number' ? Math.max(0, ttl) : 0 },
  };
}

/** All files in a tree whose keys start with the prefix, in byte order. */
export function filesUnder(root: unknown, prefix: string): readonly Entry[] {
  const files: Entry[] = [];
  const waiting: unknown[] = [root];
  // A list, not a recursion: etcd does not bound the depth of its tree.
  while (waiting.length > 0) {
    const node = nodeOf(waiting.pop());
    if (node === undefined) continue;
    if (node.kind === 'file') {
      if (node.entry.key.startsWith(prefix)) files.push(node.entry);
    } else for (const child of node.children) waiting.push(child);
  }
  return files.sort(byKeyBytes);
}

/** UTF-8 order. JavaScript's own compares UTF-16 units, which differs above U+FFFF. */
function byKeyBytes(left: Entry, right: Entry): number {
  if (left.key === right.key) return 0;
  if (notAscii.test(left.key) || notAscii.test(right.key))
    return Buffer.compare(Buffer.from(left.key), Buffer.from(right.key));
  return left.key < right.key ? -1 : 1;
}

const notAscii = /[^\u0000-\u007f]/;
