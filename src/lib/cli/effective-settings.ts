import type { Inventory } from '../inventory/inventory';
import { inventoryDefaults } from '../inventory/inventory-defaults';
import { keyReference } from '../inventory/key-reference';
import type { ListView } from '../view/list';
import type { EtcdSettings, Source, Sourced } from './settings';

export type SettingValue = string | number | boolean | readonly string[];

/** One line of `netctl config show`. */
export interface EffectiveSetting {
  /** Path of the key in an inventory; a node stands under its name: `nodes[node1].subnet`. */
  readonly setting: string;
  readonly value: SettingValue;
  readonly source: Source;
}

/** Every setting that holds now, in the order of the reference, with where it came from. Passwords are never among the values. */
export function effectiveSettings(
  etcd: EtcdSettings,
  inventory: Inventory | undefined,
  inventoryName: string,
): readonly EffectiveSetting[] {
  return [...etcdRows(etcd), ...sectionRows(inventory, inventoryName), ...nodeRows(inventory, inventoryName)];
}

function etcdRows(etcd: EtcdSettings): readonly EffectiveSetting[] {
  const row = (key: string, found: Sourced<SettingValue> | undefined): readonly EffectiveSetting[] =>
    found === undefined ? [] : [{ setting: `etcd.${key}`, value: found.value, source: found.source }];
  const { password } = etcd;
  const seconds = { value: etcd.timeoutMs.value / 1000, source: etcd.timeoutMs.source };
  return [
    ...row('endpoints', etcd.endpoints),
    ...row('prefix', etcd.prefix),
    ...row('api', etcd.api),
    ...row('ca', etcd.ca),
    ...row('cert', etcd.cert),
    ...row('key', etcd.key),
    ...row('user', etcd.user),
    ...(password?.value.kind === 'text' ? row('password', { value: '(set, hidden)', source: password.source }) : []),
    ...(password?.value.kind === 'file'
      ? row('passwordFile', { value: password.value.path, source: password.source })
      : []),
    ...row('timeoutSeconds', seconds),
  ];
}

function sectionRows(inventory: Inventory | undefined, name: string): readonly EffectiveSetting[] {
  const leaves = keyReference.filter(
    ({ path, example }) => example !== undefined && !path.startsWith('etcd.') && !path.includes('['),
  );
  return leaves.flatMap(({ path }) => {
    const steps = path.split('.');
    const value = path === 'network.backend.options' ? printableOptions(inventory) : at(inventory ?? {}, steps);
    const line = inventory?.lines.get(path);
    if (line !== undefined && isSettingValue(value)) return [{ setting: path, value, source: fileSource(name, line) }];
    if (line !== undefined && typeof value === 'object' && value !== null) {
      return Object.entries(value).flatMap(([key, option]) =>
        isSettingValue(option)
          ? [
              {
                setting: `${path}.${key}`,
                value: option,
                source: fileSource(name, inventory?.lines.get(`${path}.${key}`) ?? line),
              },
            ]
          : [],
      );
    }
    const assumed = at(inventoryDefaults, steps);
    return isSettingValue(assumed)
      ? [{ setting: path, value: assumed, source: { kind: 'default', name: 'default' } as const }]
      : [];
  });
}

/** A pre-shared key is an option like any other to flannel, in any case; here it is a secret. */
function printableOptions(inventory: Inventory | undefined): object | undefined {
  const options = inventory?.network.backend?.options;
  if (options === undefined) return undefined;
  const shown = Object.entries(options).map(([name, value]) => [
    name,
    /psk|secret|password/i.test(name) ? '(set, hidden)' : value,
  ]);
  return Object.fromEntries(shown);
}

function nodeRows(inventory: Inventory | undefined, name: string): readonly EffectiveSetting[] {
  const keys = keyReference.flatMap(({ path, example }) =>
    path.startsWith('nodes[].') && example !== undefined && path !== 'nodes[].name'
      ? [path.slice('nodes[].'.length)]
      : [],
  );
  return (inventory?.nodes ?? []).flatMap((node, index) =>
    keys.flatMap((key) => {
      const value = at(node, key.split('.'));
      const line = inventory?.lines.get(`nodes[${index}].${key}`);
      if (!isSettingValue(value)) return [];
      // What comes from the section ssh stands there; what was worked out of another key of the node is worth a line.
      if (line === undefined && (key.startsWith('ssh.') || key === 'labels')) return [];
      const source: Source =
        line === undefined
          ? { kind: 'default', name: key === 'publicIP' ? 'its address' : 'its name' }
          : fileSource(name, line);
      return [{ setting: `nodes[${node.name}].${key}`, value, source }];
    }),
  );
}

function fileSource(name: string, line: number): Source {
  return { kind: 'file', name: `${name}:${line}` };
}

function at(root: object, steps: readonly string[]): unknown {
  let value: unknown = root;
  for (const step of steps) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = Object.getOwnPropertyDescriptor(value, step)?.value;
  }
  return value;
}

function isSettingValue(value: unknown): value is SettingValue {
  if (Array.isArray(value)) return value.every((item) => typeof item === 'string');
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

export const settingListView: ListView<EffectiveSetting> = {
  kind: 'SettingList',
  columns: [
    { header: 'SETTING', cell: (row) => row.setting },
    { header: 'VALUE', cell: (row) => formatSetting(row.value), shrink: true },
    { header: 'FROM', cell: (row) => row.source.name },
  ],
  name: (row) => row.setting,
  empty: 'No settings.',
};

function formatSetting(value: SettingValue): string {
  if (typeof value === 'object') return value.length === 0 ? '(none)' : value.join(',');
  return String(value);
}
