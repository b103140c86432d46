import Ajv from 'ajv';
import { describe, expect, it } from 'vitest';
import type { EffectiveConfig } from '../../src/lib/net/network-config';
import type { Problem } from '../../src/lib/net/problem';
import { renderRecord } from '../../src/lib/view/record';
import type { OutputDocument } from '../../src/lib/view/schemas/output-schemas';
import { outputDocuments, outputSchemas } from '../../src/lib/view/schemas/output-schemas';
import { pipe } from './screens';

// The types agree, or this file does not compile.
const effective: EffectiveConfig = {
  enableIPv4: true,
  network: '10.1.0.0/16',
  subnetLen: 24,
  subnetMin: '10.1.1.0',
  subnetMax: '10.1.255.0',
  enableIPv6: false,
  ipv6Network: null,
  ipv6SubnetLen: null,
  ipv6SubnetMin: null,
  ipv6SubnetMax: null,
  enableNFTables: false,
  backend: { type: 'vxlan', explicit: true, options: { VNI: 1 } },
};
const problem: Problem = { code: 'x', severity: 'info', path: '', message: 'm', suggestion: null };
const value: Omit<OutputDocument<'NetworkValidation'>, 'apiVersion' | 'kind'> = {
  valid: true,
  flannel: 'v0.28.9',
  effective,
  problems: [problem],
};

describe('the published schemas', () => {
  it('are JSON Schema that a validator takes, under the name of their kind', () => {
    const ajv = new Ajv({ strict: true });
    for (const [kind, schema] of Object.entries(outputSchemas())) {
      expect(schema['title']).toBe(kind);
      expect(() => ajv.compile(schema)).not.toThrow();
    }
    expect(Object.keys(outputSchemas())).toEqual(Object.keys(outputDocuments));
  });

  it('take a real document and refuse a broken one', async () => {
    const view = { kind: 'NetworkValidation', name: () => 'config', sections: [] };
    const text = [...(await renderRecord(value, view, 'json', pipe))].join('');
    const schema = outputSchemas()['NetworkValidation'];
    const validate = new Ajv({ strict: true }).compile(schema ?? false);
    const document: unknown = JSON.parse(text);
    expect(validate(document)).toBe(true);
    expect(validate({ ...value, apiVersion: 'netctl/v1', kind: 'NetworkValidation', valid: 'yes' })).toBe(false);
    expect(validate({ ...value, apiVersion: 'netctl/v2', kind: 'NetworkValidation' })).toBe(false);
  });

  it('let documents grow, but our own tests can ask for strictness', () => {
    const grown = { ...value, apiVersion: 'netctl/v1', kind: 'NetworkValidation', later: 1 };
    const check = (strict: boolean): boolean =>
      new Ajv({ strict: true }).validate(outputSchemas({ strict })['NetworkValidation'] ?? false, grown);
    expect([check(false), check(true)]).toEqual([true, false]);
  });
});
