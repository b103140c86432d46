import { InvalidInput } from '../errors';
import type { Inventory } from '../inventory/inventory';
import { configKey } from '../net/flannel-keys';
import { etcdApiOf, type FlannelVersion, newestFlannel, parseFlannelVersion } from '../net/flannel-version';
import { type LeaseReading, readLeases } from '../net/lease';
import { type EffectiveConfig, judgeConfig, type Verdict } from '../net/network-config';
import { requirePrefix } from '../net/own-keys';
import type { chooseApi, NetworkUse } from '../store/detect';
import type { Api, Entry, PrefixLooker, PrefixUse, Snapshot, Store, StoreOptions } from '../store/store';
import { plural } from '../view/count';
import type { EtcdFlagValues, EtcdSettings } from './settings';

export interface SessionFlags extends EtcdFlagValues {
  readonly config?: string | undefined;
  readonly flannel?: string | undefined;
}

interface Talk {
  say(line: string): void;
}

/** One of etcd's two stores, open, with the network that lives in it. */
export interface NetworkStore {
  readonly store: Store;
  readonly api: Api;
  readonly prefix: string;
  /** The flannel release by whose rules keys and config are read; one that uses this API unless a person named another. */
  readonly version: FlannelVersion;
}

/** A network as it is in etcd at one revision. */
export interface NetworkReading extends NetworkStore {
  readonly snapshot: Snapshot;
  readonly leases: LeaseReading<Entry>;
  readonly verdict: Verdict | null;
  /** Null when there is no config, or none that flanneld accepts. */
  readonly effective: EffectiveConfig | null;
}

/** The last release that reads etcd v2, for networks found there. */
const lastOfV2 = parseFlannelVersion('v0.17.0');

/** What a command works with: the inventory, and etcd when it is asked for. The one place that chooses an adapter. */
export class Session {
  readonly inventory: Inventory | undefined;
  /** The release to judge by, and whether somebody named it. */
  readonly version: FlannelVersion;
  private readonly versionNamed: boolean;
  private readonly inventoryName: string | undefined;
  private readonly flags: SessionFlags;
  private readonly talk: Talk;

  private constructor(
    talk: Talk,
    flags: SessionFlags,
    inventory: Inventory | undefined,
    inventoryName: string | undefined,
  ) {
    this.talk = talk;
    this.flags = flags;
    this.inventory = inventory;
    this.inventoryName = inventoryName;
    const named = flags.flannel ?? inventory?.flannel.version;
    this.versionNamed = named !== undefined;
    this.version = named === undefined ? newestFlannel : parseFlannelVersion(named);
  }

  static async open(talk: Talk, flags: SessionFlags): Promise<Session> {
    const { loadInventory } = await import('../inventory/find-inventory');
    const loaded = await loadInventory({ config: flags.config, env: process.env, cwd: process.cwd() });
    return new Session(talk, flags, loaded?.inventory, loaded?.found.shownAs);
  }

  /** How etcd is reached, each setting with its source. Reads no file but the inventory. */
  async settings(): Promise<EtcdSettings> {
    const { resolveEtcdSettings } = await import('./settings');
    return resolveEtcdSettings({
      flags: this.flags,
      env: process.env,
      inventory: this.inventory,
      inventoryName: this.inventoryName,
    });
  }

  /** Opens the store in which the network lives (`--etcd-api`), or would live. */
  async networkStore(): Promise<NetworkStore> {
    const settings = await this.settings();
    const { loadEtcdOptions } = await import('./load-etcd-options');
    const { askPassword, canAsk } = await import('./ask');
    const loaded = await loadEtcdOptions(settings, canAsk() ? (user) => askPassword(`etcd user ${user}`) : undefined);
    for (const notice of [...settings.notices, ...loaded.notices]) this.talk.say(notice);
    const prefix = requirePrefix(settings.prefix.value);
    const { store, api } = await this.openApi(settings, loaded.options, prefix);
    const version = !this.versionNamed && api === 'v2' ? lastOfV2 : this.version;
    if (this.versionNamed && etcdApiOf(version) !== api) {
      this.talk.say(
        `note: flannel ${version.tag} reads etcd ${etcdApiOf(version)}, but this is the network in etcd ${api}`,
      );
    }
    return { store, api, prefix, version };
  }

  /** The network, its config and its leases, read at one revision. */
  async network(opened?: NetworkStore): Promise<NetworkReading> {
    const { store, api, prefix, version } = opened ?? (await this.networkStore());
    const snapshot = await store.snapshot(`${prefix}/`);
    const leases = readLeases(snapshot, prefix, version);
    const verdict = leases.config === null ? null : judgeConfig(leases.config.value, version);
    return { store, api, prefix, version, snapshot, leases, verdict, effective: verdict?.effective ?? null };
  }

  /** The config to look at: a file, standard input, or what is in etcd. */
  async configText(file: string | undefined, live: boolean): Promise<Uint8Array> {
    if ((file !== undefined) === live) {
      throw new InvalidInput({
        code: 'config-source',
        message: live ? 'a file and --live were both given; say one of them' : 'there is no config to look at',
        next: ['Name a file, - for standard input, or --live for the config in etcd.'],
      });
    }
    if (file !== undefined) {
      const { readInput } = await import('./read-input');
      return readInput(file);
    }
    const { leases, prefix } = await this.network();
    if (leases.config === null) throw noConfig(prefix);
    return leases.config.value;
  }

  private async openApi(
    settings: EtcdSettings,
    options: StoreOptions,
    prefix: string,
  ): Promise<{ readonly store: Store; readonly api: Api }> {
    const wanted = settings.api.value;
    if (wanted === 'v3') return { store: await openV3(options), api: 'v3' };
    if (wanted === 'v2') return { store: await openV2(options), api: 'v2' };
    const { chooseApi, lookForPrefix } = await import('../store/detect');
    const [v3, v2] = await Promise.all([openV3(options), openV2(options)]);
    const use = await lookForPrefix(options, prefix, { v3, v2 });
    const chosen = this.settle(chooseApi(use), use, prefix);
    (chosen === 'v3' ? v2 : v3).close();
    return { store: chosen === 'v3' ? v3 : v2, api: chosen };
  }

  /** What was found, or the reason why neither may be taken. */
  private settle(found: ReturnType<typeof chooseApi>, { v3, v2 }: NetworkUse, prefix: string): Api {
    // An etcd that speaks only one of the two is common; one that answers neither has told us why.
    if (v3.error !== undefined && found !== 'v2') throw v3.error;
    switch (found) {
      case 'both':
        throw new InvalidInput({
          code: 'both-apis',
          message: `${prefix} has data in both of etcd's stores, and flannel reads only one of them`,
          details: [`v3 (flannel >= v0.18.0): ${useText(v3)}`, `v2 (flannel <= v0.17.0): ${useText(v2)}`],
          next: ['Say which one is meant: --etcd-api v3 or --etcd-api v2'],
        });
      case 'v2':
        this.talk.say(`note: the network lives in etcd v2 (${useText(v2)})`);
        return 'v2';
      case 'v3':
        return 'v3';
      case 'none':
        if (v2.error !== undefined) {
          this.talk.say(`note: whether etcd v2 holds ${prefix} is not known: ${v2.error.message}`);
        }
        return v2.served && etcdApiOf(this.version) === 'v2' ? 'v2' : 'v3';
      default:
        return found satisfies never;
    }
  }
}

function useText(use: PrefixUse): string {
  return `${use.config ? 'a config' : 'no config'}, ${plural(use.leases, 'lease')}`;
}

async function openV3(options: StoreOptions): Promise<Store & PrefixLooker> {
  const { openEtcdV3 } = await import('../store/etcd-v3');
  return openEtcdV3(options);
}

async function openV2(options: StoreOptions): Promise<Store & PrefixLooker> {
  const { openEtcdV2 } = await import('../store/etcd-v2');
  return openEtcdV2(options);
}

/** There is nothing at `<prefix>/config`. */
export function noConfig(prefix: string): InvalidInput {
  return new InvalidInput({
    code: 'no-config',
    message: `there is no network config at ${configKey(prefix)}`,
    next: [
      'Write one: netctl init-network 10.1.0.0/16 --backend vxlan',
      'Or name the prefix that flanneld uses: --prefix KEY',
    ],
  });
}
