/*
 * Stands in for @grpc/proto-loader in the bundle (scripts/build.mjs); the real one serves tests and bin/dev.js.
 *
 * The real one reads the .proto text, builds every message type with protobufjs and makes descriptors for a reflection
 * service that nobody asks for, all at load time: 50 ms. This one reads the services off a JSON that the build makes, and
 * touches protobufjs when a message is first sent that this room does not write by hand. A get or a list never does.
 */
import type protobuf from 'protobufjs/light';

/** The parts of a proto-loader `MethodDefinition` that gRPC looks at. */
interface Method {
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly requestSerialize: (message: object) => Uint8Array;
  readonly requestDeserialize: (bytes: Uint8Array) => object;
  readonly responseSerialize: (message: object) => Uint8Array;
  readonly responseDeserialize: (bytes: Uint8Array) => object;
  readonly originalName: string;
}

export type Services = Readonly<Record<string, Readonly<Record<string, Method>>>>;

/**
 * The services in a protobufjs root.
 * @param json the root, as its `toJSON()` gives it
 * @param options how messages are turned into objects, proto-loader's own
 * @param library called once, when the first message is sent or received
 */
export function servicesOf(
  json: protobuf.INamespace,
  options: protobuf.IConversionOptions,
  library: () => typeof protobuf,
): Services {
  let root: protobuf.Root | undefined;
  const codecOf = (namespace: string, name: string) => {
    let known: protobuf.Type | undefined;
    const type = () => {
      if (root === undefined) {
        root = library().Root.fromJSON(json);
        root.resolveAll();
      }
      known ??= root.lookupType(`${namespace}.${name}`);
      return known;
    };
    return {
      serialize: (message: object) => type().encode(type().fromObject(message)).finish(),
      deserialize: (bytes: Uint8Array) => type().toObject(type().decode(bytes), options),
    };
  };
  const services: Record<string, Record<string, Method>> = {};
  for (const [namespace, { nested = {} }] of namespacesIn(json)) {
    for (const [name, service] of Object.entries(nested)) {
      if (!('methods' in service)) continue;
      const methods: Record<string, Method> = {};
      for (const [method, { requestType, responseType, requestStream, responseStream }] of Object.entries(
        service.methods,
      )) {
        const request = codecOf(namespace, requestType);
        const response = codecOf(namespace, responseType);
        methods[method] = {
          path: `/${namespace}.${name}/${method}`,
          requestStream: requestStream === true,
          responseStream: responseStream === true,
          requestSerialize: request.serialize,
          requestDeserialize: request.deserialize,
          responseSerialize: response.serialize,
          responseDeserialize: response.deserialize,
          originalName: method.charAt(0).toLowerCase() + method.slice(1),
        };
      }
      services[`${namespace}.${name}`] = methods;
    }
  }
  return services;
}

function namespacesIn(json: protobuf.INamespace): readonly (readonly [string, protobuf.INamespace])[] {
  return Object.entries(json.nested ?? {}).filter(
    (entry): entry is [string, protobuf.INamespace] => 'nested' in entry[1],
  );
}

/**
 * What etcd3 calls at load time. The path is that of the .proto text, which the bundle does not have.
 * @public named by scripts/build.mjs
 */
export function loadSync(_path: string, options: protobuf.IConversionOptions): Services {
  return servicesOf(require('./etcd-v3-proto.json'), options, () => require('protobufjs/light'));
}
