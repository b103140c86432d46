import Ajv2020 from 'ajv/dist/2020';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { readInventory } from '../../src/lib/inventory/parse-inventory';
import { inventoryJsonSchema } from '../../src/lib/inventory/schema';
import { inventoryShape } from '../../src/lib/inventory/shape';
import { arbitraryInventory } from './arbitrary-inventory';

const validate = new Ajv2020({ strict: true, allowUnionTypes: true }).compile(inventoryJsonSchema());

const valid = [
  'etcd:',
  'etcd: { endpoints: http://a:1 }',
  'etcd: { endpoints: "http://a:1,b:2" }',
  'etcd: { endpoints: ["http://[::1]:2379/"] }',
  'etcd: { timeoutSeconds: 0.5 }',
  'network: { cidr: 10.1.0.0/16, avoid: ["fc00::/7", 10.0.0.0/8] }',
  'network: { backend: { type: vxlan, options: { VNI: 1, DirectRouting: true, Name: x } } }',
  'network: { backend: { type: vxlan, options: } }',
  'flannel: { version: v0.11.0, options: { v: 2, iptables-forward-rules: false } }',
  'ssh: { jump: "a@b:22,c" }',
  'nodes: [{ name: a, ssh: , labels: [] }]',
  'nodes:',
];
const invalid = [
  'etcd: []',
  'etcd: { endpoints: [] }',
  'etcd: { endpoints: [http://a] }',
  'etcd: { endpoints: "http://a:1,,b:2" }',
  'etcd: { endpoints: http://u:p@a:1 }',
  'etcd: { endpoints: http://a:1/v2 }',
  'etcd: { endpoints: http://a:65536 }',
  'etcd: { endpoints: http://10.0.0.256:1 }',
  'etcd: { prefix: / }',
  'etcd: { prefix: "/a b" }',
  'etcd: { prefix: 5 }',
  'etcd: { password: x }',
  'etcd: { user: "a:b" }',
  'etcd: { timeoutSeconds: 0 }',
  'network: { cidr: 10.1.0.0/33 }',
  'network: { cidr: 010.1.0.0/16 }',
  'network: { subnetLen: 31 }',
  'network: { subnetLen: 24.5 }',
  'network: { backend: {} }',
  'network: { backend: host-gw }',
  'network: { backend: { type: VXLAN } }',
  'network: { backend: { type: vxlan, options: { "a b": 1 } } }',
  'network: { backend: { type: vxlan, options: { VNI: [1] } } }',
  'flannel: { version: 0.11 }',
  'flannel: { installDir: opt/flannel }',
  'flannel: { options: { --v: 2 } }',
  'docker: { style: json }',
  'ssh: { user: -x }',
  'ssh: { port: 0 }',
  'nodes: { a: {} }',
  'nodes: [{}]',
  'nodes: [{ name: "-a" }]',
  'nodes: [{ name: a, address: "10.4.7" }]',
  'nodes: [{ name: a, labels: { a: b } }]',
  'nodes: [{ name: a, zip: 1 }]',
  'nodes: [null]',
  'unknown: 1',
];

describe('the published schema and netctl give the same verdict', () => {
  it.each(valid)('valid: %s', (text) => {
    expect(readInventory(text, 'x').problems).toEqual([]);
    expect(validate(parse(text)), JSON.stringify(validate.errors)).toBe(true);
  });

  it.each(invalid)('not valid: %s', (text) => {
    expect(readInventory(text, 'x').problems).not.toEqual([]);
    expect(validate(parse(text))).toBe(false);
  });

  it('for inventories that are valid', () => {
    fc.assert(
      fc.property(arbitraryInventory, (inventory) => {
        expect(readInventory(stringify(inventory), 'x').problems).toEqual([]);
        expect(validate(inventory), JSON.stringify(validate.errors)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('for a value of any kind in any key', () => {
    const key = fc.constantFrom(
      'endpoints',
      'prefix',
      'api',
      'ca',
      'user',
      'timeoutSeconds',
      'cidr',
      'subnetLen',
      'avoid',
      'backend',
      'port',
      'jump',
      'labels',
      'x',
    );
    const section = fc.constantFrom('etcd', 'network', 'flannel', 'docker', 'ssh', 'nodes');
    const value = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.string({ maxLength: 12 }),
      fc.constantFrom('10.0.0.0/8', 'a:1', 'http://a:1', '/x', 'v3'),
    );
    fc.assert(
      fc.property(section, key, value, (sectionName, name, content) => {
        const data = {
          [sectionName]: sectionName === 'nodes' ? [{ name: 'a', [name]: content }] : { [name]: content },
        };
        // The one thing that zod passes over and JSON Schema does not; the reader finds it before.
        fc.pre(!JSON.stringify(data).includes('__proto__'));
        expect(inventoryShape.safeParse(data).success).toBe(validate(data));
      }),
      { numRuns: 2_000 },
    );
  });
});
