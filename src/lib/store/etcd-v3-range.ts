import { keyText } from './key-text';
import type { Entries, Entry } from './store';

/**
 * The one hot message of etcd, `Range`, by hand. protobufjs takes 240 ms to decode 65,536 leases (reflection, `Long`
 * objects, copies) and keeps them all; this checks the message in some 5 ms, and an entry is made when it is come to, so
 * that whoever goes through them holds one at a time. Values are views of the one buffer that came in.
 * Field numbers: etcd `api/etcdserverpb/rpc.proto` and `api/mvccpb/kv.proto`, unchanged from v3.0 to v3.6.
 */
export interface RangeQuestion {
  readonly key: Uint8Array;
  /** Exclusive end; absent for the one key. */
  readonly end?: Uint8Array;
  readonly countOnly?: boolean;
  /** As it was at this revision, decimal; absent for now. */
  readonly revision?: string;
}

export interface RangeAnswer {
  /** Hex, as `etcdctl endpoint status` prints it. */
  readonly clusterId: string;
  readonly revision: string;
  readonly entries: Entries;
  readonly count: number;
}

export function encodeRange(question: RangeQuestion): Buffer {
  const parts = [field(0x0a, question.key)];
  if (question.end !== undefined) parts.push(field(0x12, question.end));
  if (question.revision !== undefined) parts.push(Buffer.of(0x20, ...varint(BigInt(question.revision))));
  if (question.countOnly === true) parts.push(Buffer.of(0x48, 1));
  return Buffer.concat(parts);
}

/** @throws RangeError when the bytes are not such a message */
export function decodeRange(bytes: Buffer): RangeAnswer {
  const reader = new Reader(bytes);
  let clusterId = '0';
  let revision = '0';
  let count = 0;
  let entries = 0;
  while (reader.at < bytes.length) {
    const tag = reader.tag();
    if (tag === 0x0a) {
      const end = reader.lengthEnd();
      while (reader.at < end) {
        const inner = reader.tag();
        if (inner === 0x08) clusterId = reader.hex().replace(/^0+(?=.)/, '');
        else if (inner === 0x18) revision = reader.decimal();
        else reader.skip(inner);
      }
      if (reader.at !== end) throw new RangeError('the header runs past its end');
    } else if (tag === entryTag) {
      skipEntry(reader);
      entries += 1;
    } else if (tag === 0x20) count = Number(reader.decimal());
    else reader.skip(tag);
  }
  return { clusterId, revision, entries: new RangeEntries(bytes, entries), count };
}

const entryTag = 0x12;

/** The entries of a message that has been checked. */
class RangeEntries implements Entries {
  readonly length: number;
  private readonly bytes: Buffer;

  constructor(bytes: Buffer, length: number) {
    this.bytes = bytes;
    this.length = length;
  }

  *[Symbol.iterator](): Generator<Entry> {
    const reader = new Reader(this.bytes);
    while (reader.at < this.bytes.length) {
      const tag = reader.tag();
      if (tag === entryTag) yield entry(reader);
      else reader.skip(tag);
    }
  }
}

/** Goes past an entry, and finds all that would keep it from being read. */
function skipEntry(reader: Reader): void {
  const end = reader.lengthEnd();
  while (reader.at < end) reader.skip(reader.tag());
  if (reader.at !== end) throw new RangeError('a key runs past its end');
}

/** A zero is not sent, unless by somebody who sends it. */
const noLease = '0'.repeat(16);

function entry(reader: Reader): Entry {
  const end = reader.lengthEnd();
  let key = '';
  let value = reader.bytes.subarray(0, 0);
  let createdRevision = '0';
  let revision = '0';
  let leaseId = '';
  while (reader.at < end) {
    const tag = reader.tag();
    switch (tag) {
      case 0x0a: {
        const keyEnd = reader.lengthEnd();
        key = keyText(reader.bytes, reader.at, keyEnd);
        reader.at = keyEnd;
        break;
      }
      case 0x10:
        createdRevision = reader.decimal();
        break;
      case 0x18:
        revision = reader.decimal();
        break;
      case 0x2a: {
        const valueEnd = reader.lengthEnd();
        value = reader.bytes.subarray(reader.at, valueEnd);
        reader.at = valueEnd;
        break;
      }
      case 0x30:
        leaseId = reader.hex();
        break;
      default:
        reader.skip(tag);
    }
  }
  return leaseId === '' || leaseId === noLease
    ? { key, value, revision, createdRevision, permanent: true }
    : { key, value, revision, createdRevision, permanent: false, leaseId };
}

function varint(value: bigint): readonly number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return [...bytes, Number(rest)];
}

function field(tag: number, value: Uint8Array): Buffer {
  const head = [tag];
  let length = value.length;
  while (length > 0x7f) {
    head.push((length & 0x7f) | 0x80);
    length >>>= 7;
  }
  head.push(length);
  return Buffer.concat([Buffer.from(head), value]);
}

class Reader {
  readonly bytes: Buffer;
  at = 0;
  /** The two halves of the number that was read last. */
  private low = 0;
  private high = 0;
  /** Keys that were written together have their revision in common, a new key has it twice. */
  private lastNumber = 0;
  private lastDecimal = '0';
  private readonly scratch = Buffer.alloc(8);

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  tag(): number {
    this.number();
    return this.low;
  }

  /** Where the field ends that begins here. */
  lengthEnd(): number {
    this.number();
    const end = this.at + this.low;
    if (this.high !== 0 || end > this.bytes.length) throw new RangeError('a field runs past the end of the message');
    return end;
  }

  decimal(): string {
    this.number();
    if (this.high >= 0x200000) return String(BigInt.asIntN(64, (BigInt(this.high) << 32n) | BigInt(this.low)));
    const number = this.high * 0x100000000 + this.low;
    if (number !== this.lastNumber) {
      this.lastNumber = number;
      this.lastDecimal = String(number);
    }
    return this.lastDecimal;
  }

  /** 16 digits. */
  hex(): string {
    this.number();
    this.scratch.writeUInt32BE(this.high, 0);
    this.scratch.writeUInt32BE(this.low, 4);
    return this.scratch.toString('hex');
  }

  skip(tag: number): void {
    const kind = tag & 7;
    if (kind === 0) this.number();
    else if (kind === 1) this.at += 8;
    else if (kind === 2) this.at = this.lengthEnd();
    else if (kind === 5) this.at += 4;
    else throw new RangeError(`unknown wire type ${kind}`);
  }

  private number(): void {
    const bytes = this.bytes;
    const first = bytes[this.at];
    if (first !== undefined && first < 0x80) {
      this.at += 1;
      this.low = first;
      this.high = 0;
      return;
    }
    let low = 0;
    let high = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[this.at];
      if (byte === undefined || shift > 63) throw new RangeError('the message is cut short');
      this.at += 1;
      if (shift < 28) low |= (byte & 0x7f) << shift;
      else if (shift === 28) {
        low |= (byte & 0x0f) << 28;
        high |= (byte & 0x70) >> 4;
      } else high |= (byte & 0x7f) << (shift - 32);
      if (byte < 0x80) break;
    }
    this.low = low >>> 0;
    this.high = high >>> 0;
  }
}
