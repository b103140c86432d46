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

/** The records of a snapshot of netctl's history keys, the newest replacement first. */
export function historyOf(snapshot: Snapshot): readonly HistoryRecord[] {
  const records: HistoryRecord[] = [];
  for (const entry of snapshot.entries) {
    const record = readHistoryRecord(entry.value);
    if (record !== undefined) records.push(record);
  }
  return records.sort((a, b) => (BigInt(a.revision) < BigInt(b.revision) ? 1 : -1));
}
