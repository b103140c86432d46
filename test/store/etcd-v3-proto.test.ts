import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Services, servicesOf } from '../../src/lib/store/etcd-v3-proto';

const require = createRequire(import.meta.url);
const etcd3 = dirname(require.resolve('etcd3/package.json'));
const nearEtcd3 = createRequire(join(etcd3, 'lib/index.js'));

const options = { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true };
const proto = join(etcd3, 'proto/rpc.proto');
const real: Services = nearEtcd3('@grpc/proto-loader').loadSync(proto, options);
const protobuf = createRequire(nearEtcd3.resolve('@grpc/proto-loader'))('protobufjs');
const root = new protobuf.Root();
root.loadSync(proto, { keepCase: true });
const ours = servicesOf(root.toJSON(), options, () => protobuf);

describe('the stand-in for @grpc/proto-loader', () => {
  const services = Object.keys(real).filter((name) => real[name] !== undefined && !('format' in real[name]));

  it('has the services and methods of the real one', () => {
    expect(services).toContain('etcdserverpb.KV');
    expect(Object.keys(ours).sort()).toEqual([...services].sort());
    const shape = (all: Services) =>
      services.map((name) =>
        Object.entries(all[name] ?? {}).map(([method, { path, requestStream, responseStream, originalName }]) => [
          method,
          { path, requestStream, responseStream, originalName },
        ]),
      );
    // The real one says hashKv, which etcd3 does not call; a call of `maintenance.hashKV` fails with it.
    expect(JSON.stringify(shape(ours))).toBe(JSON.stringify(shape(real)).replace('hashKv', 'hashKV'));
  });

  it.each([
    [
      'KV',
      'Txn',
      'request',
      { compare: [{ result: 'Equal', target: 'Mod', key: Buffer.from('a'), mod_revision: '7' }] },
    ],
    [
      'KV',
      'Txn',
      'request',
      { success: [{ request_put: { key: Buffer.from('k'), lease: '-9', ignore_lease: true } }] },
    ],
    [
      'KV',
      'Txn',
      'response',
      { succeeded: true, responses: [{ response_range: { kvs: [{ key: Buffer.from('k') }] } }] },
    ],
    ['Lease', 'LeaseGrant', 'request', { TTL: 5, ID: '9223372036854775807' }],
    ['Watch', 'Watch', 'response', { header: { revision: '12' }, events: [{ type: 'Delete' }], cancel_reason: 'x' }],
    ['Watch', 'Watch', 'request', { create_request: { key: Buffer.from('a'), fragment: true } }],
    ['Maintenance', 'Alarm', 'response', { alarms: [{ memberID: '18446744073709551615', alarm: 'Nospace' }] }],
    ['Auth', 'Authenticate', 'request', { name: 'ü', password: 'p' }],
  ] as const)('writes and reads %s.%s as the real one does (%s)', (service, method, side, message) => {
    const [mine, theirs] = [ours, real].map((all) => all[`etcdserverpb.${service}`]?.[method]);
    if (mine === undefined || theirs === undefined) throw new Error('no such method');
    const bytes = side === 'request' ? theirs.requestSerialize(message) : theirs.responseSerialize(message);
    expect(side === 'request' ? mine.requestSerialize(message) : mine.responseSerialize(message)).toEqual(bytes);
    const read = side === 'request' ? theirs.requestDeserialize(bytes) : theirs.responseDeserialize(bytes);
    expect(side === 'request' ? mine.requestDeserialize(bytes) : mine.responseDeserialize(bytes)).toEqual(read);
  });
});
