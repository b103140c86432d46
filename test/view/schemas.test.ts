import Ajv from 'ajv';
import { describe, expect, it } from 'vitest';
import type { ReservationItem } from '../../src/lib/check/reservation-items';
import type { EffectiveSetting } from '../../src/lib/cli/effective-settings';
import type { InventoryValidation } from '../../src/lib/cli/validate-inventory';
import type { Topic } from '../../src/lib/explain/topic';
import type { EffectiveConfig } from '../../src/lib/net/network-config';
import type { Problem } from '../../src/lib/net/problem';
import type { Layout } from '../../src/lib/plan/capacity';
import type { RouteRow } from '../../src/lib/plan/direct-routes';
import type { CertificateItem } from '../../src/lib/view/certificate-list';
import type { EtcdLeaseItem } from '../../src/lib/view/etcd-lease-list';
import type { MasqueradeReport } from '../../src/lib/view/masquerade';
import type { NetworkDocument } from '../../src/lib/view/network';
import type { NetworkBackupReport } from '../../src/lib/view/network-backup';
import type { NetworkChangeDocument } from '../../src/lib/view/network-change';
import type { NetworkHistoryItem } from '../../src/lib/view/network-history';
import type { NetworkRestoreReport } from '../../src/lib/view/network-restore';
import type { NetworkValidation } from '../../src/lib/view/network-validation';
import type { NodeReport } from '../../src/lib/view/node-bootstrap';
import type { NodeItem } from '../../src/lib/view/node-list';
import type { ResetReport } from '../../src/lib/view/node-reset';
import type { NodeStatusItem } from '../../src/lib/view/node-status';
import { renderRecord } from '../../src/lib/view/record';
import type { OutputDocument, OutputKind } from '../../src/lib/view/schemas/output-schemas';
import { outputDocuments, outputSchemas } from '../../src/lib/view/schemas/output-schemas';
import type { SubnetDocument } from '../../src/lib/view/subnet';
import type { SubnetCheckDocument } from '../../src/lib/view/subnet-check';
import type { SubnetEvent } from '../../src/lib/view/subnet-event';
import type { SubnetHistoryItem } from '../../src/lib/view/subnet-history';
import type { SubnetItem } from '../../src/lib/view/subnet-list';
import type { SubnetMapDocument } from '../../src/lib/view/subnet-map-counts';
import type { ReclaimItem } from '../../src/lib/view/subnet-reclaim';
import type { UndoItem } from '../../src/lib/view/subnet-undo';
import type { SubnetWorkReport } from '../../src/lib/view/subnet-work';
import type { VerifyDocument } from '../../src/lib/view/verify';
import { pipe } from './screens';

/** The shape's type as a view has it: nothing of a document is changed after it was made. */
type Frozen<T> = T extends readonly (infer Item)[]
  ? readonly Frozen<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Frozen<T[Key]> }
    : T;
type Body<Kind extends OutputKind> = Frozen<Omit<OutputDocument<Kind>, 'apiVersion' | 'kind'>>;
type Item<Kind extends OutputKind> = Body<Kind> extends { readonly items: readonly (infer Each)[] } ? Each : never;
/** Each can stand for the other: a field that is missing, added or of another type makes it `false`. */
type Same<A, B> = [keyof A, keyof B] extends [keyof B, keyof A] ? ([A, B] extends [B, A] ? true : false) : false;

// What a view prints is what its schema says, or this file does not compile. `Error` and `List` are no view's.
const shapes: Readonly<Record<Exclude<OutputKind, 'Error' | 'List'>, true>> = {
  CertificateList: true satisfies Same<CertificateItem, Item<'CertificateList'>>,
  FixMasqueradeList: true satisfies Same<MasqueradeReport, Item<'FixMasqueradeList'>>,
  EtcdLeaseList: true satisfies Same<EtcdLeaseItem, Item<'EtcdLeaseList'>>,
  InventoryValidation: true satisfies Same<InventoryValidation, Body<'InventoryValidation'>>,
  Network: true satisfies Same<NetworkDocument, Body<'Network'>>,
  NetworkBackupReport: true satisfies Same<NetworkBackupReport, Body<'NetworkBackupReport'>>,
  NetworkChange: true satisfies Same<NetworkChangeDocument, Body<'NetworkChange'>>,
  NetworkHistoryList: true satisfies Same<NetworkHistoryItem, Item<'NetworkHistoryList'>>,
  NodeBootstrapList: true satisfies Same<NodeReport, Item<'NodeBootstrapList'>>,
  NetworkLayoutList: true satisfies Same<Layout, Item<'NetworkLayoutList'>>,
  NetworkRestore: true satisfies Same<NetworkRestoreReport, Body<'NetworkRestore'>>,
  NetworkValidation: true satisfies Same<NetworkValidation, Body<'NetworkValidation'>>,
  NodeList: true satisfies Same<NodeItem, Item<'NodeList'>>,
  NodeStatusList: true satisfies Same<NodeStatusItem, Item<'NodeStatusList'>>,
  NodeResetList: true satisfies Same<ResetReport, Item<'NodeResetList'>>,
  ReservationList: true satisfies Same<ReservationItem, Item<'ReservationList'>>,
  RouteList: true satisfies Same<RouteRow, Item<'RouteList'>>,
  RoutesSyncList: true satisfies Same<NodeReport, Item<'RoutesSyncList'>>,
  SettingList: true satisfies Same<EffectiveSetting, Item<'SettingList'>>,
  SubnetCheck: true satisfies Same<SubnetCheckDocument, Body<'SubnetCheck'>>,
  SubnetEvent: true satisfies Same<SubnetEvent, Body<'SubnetEvent'>>,
  SubnetHistoryList: true satisfies Same<SubnetHistoryItem, Item<'SubnetHistoryList'>>,
  SubnetList: true satisfies Same<SubnetItem, Item<'SubnetList'>>,
  SubnetLookup: true satisfies Same<SubnetDocument, Body<'SubnetLookup'>>,
  SubnetMap: true satisfies Same<SubnetMapDocument, Body<'SubnetMap'>>,
  SubnetReclaimList: true satisfies Same<ReclaimItem, Item<'SubnetReclaimList'>>,
  SubnetUndoList: true satisfies Same<UndoItem, Item<'SubnetUndoList'>>,
  SubnetWorkList: true satisfies Same<SubnetWorkReport, Item<'SubnetWorkList'>>,
  // The catalogue knows which exit codes there are; readers are promised a number.
  Topic: true satisfies Topic extends Body<'Topic'> ? true : false,
  TopicList: true satisfies Topic extends Item<'TopicList'> ? true : false,
  VerifyList: true satisfies Same<VerifyDocument, Body<'VerifyList'>>,
};

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
  it('are compared with the views one by one', () => {
    expect([...Object.keys(shapes), 'Error', 'List'].sort()).toEqual(Object.keys(outputDocuments).sort());
  });

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
