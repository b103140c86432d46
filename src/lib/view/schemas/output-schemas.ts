import * as z from 'zod';
import { certificateList } from './certificate-list';
import { anyListSchema } from './document';
import { errorDocument } from './error-document';
import { etcdLeaseList } from './etcd-lease-list';
import { fixMasqueradeList } from './fix-masquerade-list';
import { inventoryValidation } from './inventory-validation';
import { network } from './network';
import { networkBackupReport } from './network-backup-report';
import { networkChange } from './network-change';
import { networkHistoryList } from './network-history-list';
import { networkLayoutList } from './network-layout-list';
import { networkRestore } from './network-restore';
import { networkValidation } from './network-validation';
import { nodeBootstrapList } from './node-bootstrap-list';
import { nodeList } from './node-list';
import { nodeResetList } from './node-reset-list';
import { nodeStatusList } from './node-status-list';
import { reservationList } from './reservation-list';
import { routeList } from './route-list';
import { routesSyncList } from './routes-sync-list';
import { settingList } from './setting-list';
import { subnetCheck } from './subnet-check';
import { subnetEvent } from './subnet-event';
import { subnetHistoryList } from './subnet-history-list';
import { subnetList } from './subnet-list';
import { subnetLookup } from './subnet-lookup';
import { subnetMap } from './subnet-map';
import { subnetReclaimList } from './subnet-reclaim-list';
import { subnetUndoList } from './subnet-undo-list';
import { subnetWorkList } from './subnet-work-list';
import { topic, topicList } from './topic';
import { verifyList } from './verify-list';

/**
 * Every public document by its `kind`. A new one: write `schemas/<kind>.ts` with `documentSchema` or `listSchema`,
 * add a line here, run `npm run docs`, and let the command's test
 * parse its real output with it.
 */
export const outputDocuments = {
  CertificateList: certificateList,
  Error: errorDocument,
  EtcdLeaseList: etcdLeaseList,
  InventoryValidation: inventoryValidation,
  List: anyListSchema,
  Network: network,
  NetworkBackupReport: networkBackupReport,
  NetworkChange: networkChange,
  NetworkHistoryList: networkHistoryList,
  NetworkLayoutList: networkLayoutList,
  NetworkRestore: networkRestore,
  NetworkValidation: networkValidation,
  NodeList: nodeList,
  NodeStatusList: nodeStatusList,
  NodeBootstrapList: nodeBootstrapList,
  NodeResetList: nodeResetList,
  ReservationList: reservationList,
  RouteList: routeList,
  RoutesSyncList: routesSyncList,
  FixMasqueradeList: fixMasqueradeList,
  SettingList: settingList,
  SubnetCheck: subnetCheck,
  SubnetEvent: subnetEvent,
  SubnetHistoryList: subnetHistoryList,
  SubnetList: subnetList,
  SubnetLookup: subnetLookup,
  SubnetMap: subnetMap,
  SubnetReclaimList: subnetReclaimList,
  SubnetUndoList: subnetUndoList,
  SubnetWorkList: subnetWorkList,
  Topic: topic,
  TopicList: topicList,
  VerifyList: verifyList,
} as const satisfies Readonly<Record<string, z.ZodType>>;

export type OutputKind = keyof typeof outputDocuments;

/** A document's TypeScript type: `OutputDocument<'Error'>`. */
export type OutputDocument<Kind extends OutputKind> = z.infer<(typeof outputDocuments)[Kind]>;

export type JsonSchema = Readonly<Record<string, unknown>>;

/**
 * JSON Schemas (draft 7) by kind, keys in a stable order.
 *
 * @param options.strict refuse keys that the schema does not know: for our tests. Published schemas allow them,
 * because `netctl/v1` may grow new keys.
 */
export function outputSchemas(options: { readonly strict?: boolean } = {}): Readonly<Record<string, JsonSchema>> {
  return Object.fromEntries(
    Object.entries(outputDocuments).map(([kind, schema]) => [kind, { title: kind, ...jsonSchemaOf(schema, options) }]),
  );
}

function jsonSchemaOf(schema: z.ZodType, options: { readonly strict?: boolean }): JsonSchema {
  return z.toJSONSchema(schema, {
    target: 'draft-07',
    override: ({ jsonSchema }) => {
      if (options.strict !== true && jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
    },
  });
}
