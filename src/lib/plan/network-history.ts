import { storedFields } from '../net/stored-record';
import type { Revision, Snapshot } from '../store/store';

/** A config that netctl replaced, kept outside the network's own keys so that it can be brought back. */
export interface HistoryRecord {
  /** Revision at which the config had been written: the name of the record. */
  readonly revision: Revision;
  /** The stored bytes. */
  readonly config: Uint8Array;
  /** ISO 8601, by the clock of the workstation that replaced it. For people; nothing is decided by it. */
  readonly replacedAt: string;
  /** `user@host` of the person who replaced it. */
  readonly replacedBy: string;
  /** The command that replaced it. */
  readonly command: string;
}

interface StoredRecord {
  readonly apiVersion: 'netctl/v1';
  readonly kind: 'ReplacedConfig';
  readonly revision: string;
  readonly configBase64: string;
  /** For a person with etcdctl; `configBase64` is what counts. */
  readonly config: string;
  readonly replacedAt: string;
  readonly replacedBy: string;
  readonly command: string;
}

export function writeHistoryRecord(record: HistoryRecord): Uint8Array {
  const stored: StoredRecord = {
    apiVersion: 'netctl/v1',
    kind: 'ReplacedConfig',
    revision: record.revision,
    configBase64: Buffer.from(record.config).toString('base64'),
    config: Buffer.from(record.config).toString('utf8'),
    replacedAt: record.replacedAt,
    replacedBy: record.replacedBy,
    command: record.command,
  };
  return Buffer.from(JSON.stringify(stored));
}

/** `undefined` for bytes that netctl did not write; they are left alone. */
function readHistoryRecord(value: Uint8Array): HistoryRecord | undefined {
  const stored = storedFields(value);
  if (stored === undefined) return undefined;
  const field = (name: keyof StoredRecord): string => {
    const text = stored(name);
    return typeof text === 'string' ? text : '';
  };
  if (field('kind') !== 'ReplacedConfig' || !/^\d+$/.test(field('revision'))) return undefined;
  return {
    revision: field('revision'),
    config: Buffer.from(field('configBase64'), 'base64'),
    replacedAt: field('replacedAt'),
    replacedBy: field('replacedBy'),
    command: field('command'),
  };
}

/** Whether netctl wrote this value of a history key. */
export function isHistoryRecord(value: Uint8Array): boolean {
  return readHistoryRecord(value) !== undefined;
}

/**
 * The records of a snapshot of netctl's history keys, the newest replacement first. That is decided by when etcd stored them: the
 * revisions in records that were restored from a backup are those of another etcd.
 */
export function historyOf(snapshot: Snapshot): readonly HistoryRecord[] {
  const found: { readonly record: HistoryRecord; readonly stored: bigint }[] = [];
  for (const { value, revision } of snapshot.entries) {
    const record = readHistoryRecord(value);
    if (record !== undefined) found.push({ record, stored: BigInt(revision) });
  }
  const rank = (a: bigint, b: bigint): number => (a < b ? 1 : a > b ? -1 : 0);
  found.sort((a, b) => rank(a.stored, b.stored) || rank(BigInt(a.record.revision), BigInt(b.record.revision)));
  return found.map(({ record }) => record);
}
