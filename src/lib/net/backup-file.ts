import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { InvalidInput } from '../errors';

/** A network as it was in etcd at one revision, in a file. Keys are relative, so that it can be restored at another prefix. */
export interface NetworkBackup {
  readonly head: BackupHead;
  /** The bytes of `<prefix>/config`; null when there was none. */
  readonly config: Uint8Array | null;
  /** What was directly in `<prefix>/subnets/`, also what flanneld cannot read. In byte order. */
  readonly leases: readonly BackupLease[];
  /** netctl's own keys beside the network, without the lock. In byte order. */
  readonly own: readonly BackupKey[];
}

export interface BackupHead {
  /** ISO 8601, by the clock of the workstation. For people; nothing is decided by it. */
  readonly madeAt: string;
  /** `user@host`. For people. */
  readonly madeBy: string;
  /** Version of netctl. */
  readonly netctl: string;
  readonly api: 'v2' | 'v3';
  readonly clusterId: string;
  readonly prefix: string;
  readonly revision: string;
  /** The release by whose rules the network was read. */
  readonly flannel: string;
}

export interface BackupKey {
  /** The key behind `<prefix>/subnets/`, or behind netctl's own prefix. */
  readonly tail: string;
  readonly value: Uint8Array;
}

export interface BackupLease extends BackupKey {
  readonly permanent: boolean;
  /** What it had left; null when permanent, or not asked for. */
  readonly ttlSeconds: number | null;
}

/** What is kept of netctl's own: everything but the lock, which belongs to a run and not to the network. */
export const backedUpOwnKeys = ['history/', 'reservations/', 'deleted/'] as const;

const apiVersion = 'netctl/v1';
const kind = 'NetworkBackup';

/** Bytes of a chunk, about. */
const chunkLength = 64 * 1024;

/**
 * The file, in chunks. Plain JSON with one key a line in a stable order, and what counts down in a part of its own, so that a diff of two
 * backups shows what has changed. The last line but one is the SHA-256 of all bytes before it.
 * @param json of one value on one line; a caller who prints to terminals has one that escapes more than it must
 */
export function* formatBackup(
  backup: NetworkBackup,
  json: (value: unknown) => string = JSON.stringify,
): Generator<string> {
  const hash = createHash('sha256');
  let chunk = '';
  for (const line of linesOf(backup, json)) {
    chunk += line;
    if (chunk.length < chunkLength) continue;
    hash.update(chunk);
    yield chunk;
    chunk = '';
  }
  hash.update(chunk);
  yield `${chunk}${checksumLine(hash.digest('hex'))}`;
}

function checksumLine(hex: string): string {
  return `"sha256":"${hex}"\n}\n`;
}

function* linesOf({ head, config, leases, own }: NetworkBackup, json: (value: unknown) => string): Generator<string> {
  const { madeAt, madeBy, netctl, api, clusterId, prefix, revision, flannel } = head;
  yield '{\n';
  yield `"apiVersion":"${apiVersion}","kind":"${kind}",\n`;
  yield `"made":${json({ madeAt, madeBy, netctl, revision })},\n`;
  yield `"from":${json({ api, clusterId, prefix, flannel })},\n`;
  yield `"config":${config === null ? 'null' : json(valueFields(config))},\n`;
  yield* list('leases', leases, ({ tail, value, permanent }) =>
    json({ key: tail, ...valueFields(value), ...(permanent ? { permanent } : {}) }),
  );
  yield* list('own', own, ({ tail, value }) => json({ key: tail, ...valueFields(value) }));
  yield* list(
    'ttls',
    leases.filter(({ ttlSeconds }) => ttlSeconds !== null),
    ({ tail, ttlSeconds }) => json([tail, ttlSeconds]),
  );
}

function* list<T>(name: string, items: readonly T[], line: (item: T) => string): Generator<string> {
  yield `"${name}":[`;
  for (const [index, item] of items.entries()) yield `${index === 0 ? '\n' : ',\n'}${line(item)}`;
  yield items.length === 0 ? '],\n' : '\n],\n';
}

/** Text where the bytes are one, so that a person can read it; base64 for all others. */
function valueFields(value: Uint8Array): { readonly value: string } | { readonly base64: string } {
  return isUtf8(value)
    ? { value: Buffer.from(value).toString('utf8') }
    : { base64: Buffer.from(value).toString('base64') };
}

const checksumEnd = /"sha256":"([0-9a-f]{64})"\n\}\n$/;

/**
 * Reads a backup, and trusts nothing in it.
 * @param name of the file, for messages
 * @throws InvalidInput `backup-damaged` when the checksum does not fit, `not-a-backup` for anything else
 */
export function parseBackup(bytes: Uint8Array, name: string): NetworkBackup {
  const not = (why: string): InvalidInput =>
    new InvalidInput({
      code: 'not-a-backup',
      message: `${name} is no backup that netctl can read: ${why}`,
      next: ['Name a file that netctl backup has written.'],
    });
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = checksumEnd.exec(buffer.subarray(-100).toString('latin1'));
  if (end === null) throw not('it does not end in a checksum; a part of it may be missing');
  const content = buffer.subarray(0, buffer.length - end[0].length);
  if (createHash('sha256').update(content).digest('hex') !== end[1]) {
    throw new InvalidInput({
      code: 'backup-damaged',
      message: `${name} is not as netctl backup wrote it: its checksum does not fit its content`,
      next: ['Take another copy of it. What was edited by hand cannot be restored.'],
    });
  }
  let document: unknown;
  try {
    document = JSON.parse(buffer.toString('utf8'));
  } catch (error) {
    throw not(error instanceof Error ? error.message.slice(0, 200) : 'it is not JSON');
  }
  if (fieldOf(document, 'kind') !== kind) throw not(`its kind is not ${kind}`);
  if (fieldOf(document, 'apiVersion') !== apiVersion) {
    throw not(`its apiVersion is not ${apiVersion}: a newer netctl may have written it`);
  }
  return new Reader(not).backup(document);
}

class Reader {
  private readonly not: (why: string) => InvalidInput;

  constructor(not: (why: string) => InvalidInput) {
    this.not = not;
  }

  backup(document: unknown): NetworkBackup {
    const made = fieldOf(document, 'made');
    const from = fieldOf(document, 'from');
    const api = this.text(from, 'api');
    if (api !== 'v2' && api !== 'v3') throw this.not(`its api is ${JSON.stringify(api).slice(0, 80)}`);
    const config = fieldOf(document, 'config');
    const ttls = this.ttls(fieldOf(document, 'ttls'));
    const leases = this.keys(document, 'leases').map(({ tail, value, permanent }): BackupLease => {
      if (tail === '' || tail.includes('/')) throw this.not(`${quoted(tail)} is not the key of a subnet`);
      return { tail, value, permanent, ttlSeconds: permanent ? null : (ttls.get(tail) ?? null) };
    });
    const own = this.keys(document, 'own').map(({ tail, value }): BackupKey => {
      if (!backedUpOwnKeys.some((beginning) => tail.startsWith(beginning) && tail.length > beginning.length)) {
        throw this.not(`${quoted(tail)} is not a key that netctl backs up`);
      }
      return { tail, value };
    });
    return {
      head: {
        madeAt: this.text(made, 'madeAt'),
        madeBy: this.text(made, 'madeBy'),
        netctl: this.text(made, 'netctl'),
        revision: this.text(made, 'revision'),
        api,
        clusterId: this.text(from, 'clusterId'),
        prefix: this.text(from, 'prefix'),
        flannel: this.text(from, 'flannel'),
      },
      config: config === null ? null : this.value(config, 'config'),
      leases,
      own,
    };
  }

  private keys(document: unknown, name: string) {
    const items = fieldOf(document, name);
    if (!Array.isArray(items)) throw this.not(`its ${name} are missing`);
    const seen = new Set<string>();
    return items.map((item: unknown) => {
      const tail = this.text(item, 'key');
      if (seen.has(tail)) throw this.not(`${quoted(tail)} is there twice`);
      seen.add(tail);
      return { tail, value: this.value(item, quoted(tail)), permanent: fieldOf(item, 'permanent') === true };
    });
  }

  private ttls(items: unknown): ReadonlyMap<string, number> {
    if (!Array.isArray(items)) throw this.not('its ttls are missing');
    const ttls = new Map<string, number>();
    for (const item of items) {
      const [tail, seconds]: readonly unknown[] = Array.isArray(item) ? item : [];
      if (typeof tail !== 'string' || typeof seconds !== 'number' || !Number.isFinite(seconds) || seconds < 0) {
        throw this.not('a time to live is not a number of seconds');
      }
      ttls.set(tail, seconds);
    }
    return ttls;
  }

  private value(item: unknown, of: string): Uint8Array {
    const text = fieldOf(item, 'value');
    if (typeof text === 'string') return Buffer.from(text, 'utf8');
    const base64 = fieldOf(item, 'base64');
    if (typeof base64 !== 'string' || !/^[A-Za-z0-9+/]*={0,2}$/.test(base64)) throw this.not(`${of} has no value`);
    return Buffer.from(base64, 'base64');
  }

  private text(item: unknown, name: string): string {
    const value = fieldOf(item, name);
    if (typeof value !== 'string') throw this.not(`a ${name} is missing`);
    return value;
  }
}

function fieldOf(item: unknown, name: string): unknown {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) return undefined;
  return Object.hasOwn(item, name) ? Reflect.get(item, name) : undefined;
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}
