import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeRange, encodeRange } from '../../src/lib/store/etcd-v3-range';
import { keyBytes, keyText } from '../../src/lib/store/key-text';

const require = createRequire(import.meta.url);
const proto = join(dirname(require.resolve('etcd3/package.json')), 'proto/rpc.proto');
const { Root } = createRequire(createRequire(proto).resolve('@grpc/proto-loader'))('protobufjs');
const root = new Root();
root.loadSync(proto, { keepCase: true });
const answerType = root.lookupType('etcdserverpb.RangeResponse');
const questionType = root.lookupType('etcdserverpb.RangeRequest');

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
const revision = fc.bigInt({ min: 0n, max: (1n << 63n) - 1n }).map(String);
const unsigned = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }).map(String);
const kv = fc.record({
  key: bytes,
  value: bytes,
  create_revision: revision,
  mod_revision: revision,
  version: revision,
  lease: fc.oneof(fc.constant('0'), revision),
});
const hex = (decimal: string) => BigInt(decimal).toString(16);

/** All that is wrong shows at once: a range that was decoded can be gone through without an error. */
function goThrough(message: Buffer) {
  let answer: ReturnType<typeof decodeRange>;
  try {
    answer = decodeRange(message);
  } catch (error) {
    expect(error).toBeInstanceOf(RangeError);
    return;
  }
  expect([...answer.entries]).toHaveLength(answer.entries.length);
}

describe('the decoder of a range', () => {
  it('reads what protobufjs wrote', () => {
    const header = fc.record({ cluster_id: unsigned, member_id: unsigned, revision, raft_term: unsigned });
    fc.assert(
      fc.property(
        fc.record({ header, kvs: fc.array(kv, { maxLength: 20 }), more: fc.boolean(), count: fc.nat() }),
        (message) => {
          const encoded = Buffer.from(answerType.encode(answerType.fromObject(message)).finish());
          const answer = decodeRange(encoded);
          expect(answer.revision).toBe(message.header.revision);
          expect(answer.clusterId).toBe(hex(message.header.cluster_id));
          expect(answer.count).toBe(message.count);
          expect(answer.entries.length).toBe(message.kvs.length);
          expect([...answer.entries]).toEqual(
            message.kvs.map((one) => ({
              key: keyText(one.key),
              value: one.value,
              revision: one.mod_revision,
              createdRevision: one.create_revision,
              permanent: one.lease === '0',
              ...(one.lease === '0' ? {} : { leaseId: hex(one.lease).padStart(16, '0') }),
            })),
          );
        },
      ),
    );
  });

  it('throws a RangeError at the end of what it is given, and never reads past it', () => {
    const message = {
      header: { revision: '5' },
      kvs: [{ key: Buffer.from('key'), value: Buffer.from('value') }],
      count: 1,
    };
    const encoded = Buffer.from(answerType.encode(answerType.fromObject(message)).finish());
    for (let length = 1; length < encoded.length; length++) {
      goThrough(encoded.subarray(0, length));
    }
    fc.assert(
      fc.property(fc.uint8Array(), (noise) => {
        goThrough(Buffer.from(noise));
      }),
    );
  });

  it('skips fields of releases to come', () => {
    const known = Buffer.from(answerType.encode(answerType.fromObject({ count: 3 })).finish());
    // Field 15: a varint, eight bytes, a text, four bytes.
    const unknown = Buffer.from([
      0x78, 0x96, 0x01, 0x79, 1, 2, 3, 4, 5, 6, 7, 8, 0x7a, 2, 0x61, 0x62, 0x7d, 1, 2, 3, 4,
    ]);
    expect(decodeRange(Buffer.concat([unknown, known])).count).toBe(3);
  });
});

describe('the encoder of a range', () => {
  it('writes what protobufjs reads', () => {
    const question = fc.record({ key: bytes, end: bytes, countOnly: fc.boolean() });
    fc.assert(
      fc.property(question, ({ key, end, countOnly }) => {
        const read = questionType.toObject(questionType.decode(encodeRange({ key, end, countOnly })), {
          defaults: true,
        });
        expect(Buffer.from(read.key)).toEqual(key);
        expect(Buffer.from(read.range_end)).toEqual(end);
        expect(read.count_only).toBe(countOnly);
      }),
    );
  });
});

describe('the text of a key', () => {
  it('leads back to its bytes, whatever they are', () => {
    fc.assert(
      fc.property(bytes, (key) => {
        expect(keyBytes(keyText(key))).toEqual(key);
      }),
      { numRuns: 500 },
    );
  });

  it('is the text itself for UTF-8', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(keyText(Buffer.from(text))).toBe(text);
        expect(keyBytes(text)).toEqual(Buffer.from(text));
      }),
    );
  });

  it('keeps a replacement character that really is in the key', () => {
    const key = Buffer.from('a\ufffdb');
    expect(keyBytes(keyText(key))).toEqual(key);
    expect(keyText(Buffer.from([0x61, 0xff, 0x62]))).toBe('a\udcffb');
  });
});
