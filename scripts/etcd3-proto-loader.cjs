// Stands in for @grpc/proto-loader in the bundle of etcd3 (scripts/build.mjs): the same clients, half the start-up.
// The real one builds every message type with protobufjs at load time, 40 ms, and then makes descriptors for a reflection
// service that nobody asks for. This one reads the services off the JSON and touches protobufjs when a message is first
// sent that src/lib/store does not write by hand. test/store/etcd3-proto-loader.test.ts holds it against the real one.
'use strict';

/** @param {import('protobufjs').INamespace} json a whole `Root`, as `root.toJSON()` gives it */
exports.fromJSON = (json, options) => {
  let root;
  const typeOf = (namespace, name) => {
    if (root === undefined) {
      const protobuf = require('protobufjs/light');
      root = protobuf.Root.fromJSON(json);
      root.resolveAll();
    }
    return root.lookup(namespace).lookupType(name);
  };
  const codec = (namespace, name) => {
    let type;
    const get = () => {
      type ??= typeOf(namespace, name);
      return type;
    };
    return {
      serialize: (message) => get().encode(get().fromObject(message)).finish(),
      deserialize: (bytes) => get().toObject(get().decode(bytes), options),
    };
  };
  const services = {};
  for (const [namespace, { nested = {} }] of Object.entries(json.nested)) {
    for (const [name, { methods }] of Object.entries(nested)) {
      if (methods === undefined) continue;
      const service = {};
      for (const [method, { requestType, responseType, requestStream, responseStream }] of Object.entries(methods)) {
        const request = codec(namespace, requestType);
        const response = codec(namespace, responseType);
        service[method] = {
          path: `/${namespace}.${name}/${method}`,
          requestStream: requestStream === true,
          responseStream: responseStream === true,
          requestSerialize: request.serialize,
          requestDeserialize: request.deserialize,
          responseSerialize: response.serialize,
          responseDeserialize: response.deserialize,
          originalName: method[0].toLowerCase() + method.slice(1),
        };
      }
      services[`${namespace}.${name}`] = service;
    }
  }
  return services;
};
