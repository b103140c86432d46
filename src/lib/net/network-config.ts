import type { FlannelVersion } from './flannel-version';

/** The values that flanneld works with after decoding, defaulting and checking. Addresses are text in Go's form. */
export interface EffectiveConfig {
  readonly enableIPv4: boolean;
  /** CIDR with host bits masked off; null when the family is off. */
  readonly network: string | null;
  readonly subnetLen: number | null;
  readonly subnetMin: string | null;
  readonly subnetMax: string | null;
  readonly enableIPv6: boolean;
  readonly ipv6Network: string | null;
  readonly ipv6SubnetLen: number | null;
  readonly ipv6SubnetMin: string | null;
  readonly ipv6SubnetMax: string | null;
  readonly enableNFTables: boolean;
  readonly backend: {
    /** Lower-case. */
    readonly type: string;
    /** False when the config has no Backend and flanneld falls back to udp. */
    readonly explicit: boolean;
    /** Known sub-keys in their documented case with the given values or the defaults of this release. */
    readonly options: Readonly<Record<string, unknown>>;
  };
}

export interface Verdict {
  /** Tag of the release by which it was judged. */
  readonly flannel: string;
  readonly outcome: 'accepted' | 'refused' | 'crashes';
  /** flanneld's own words in this release; null when accepted. */
  readonly error: string | null;
  /** Where flanneld stops. `parse` and `check`: endless retry; `backend` and `register`: exit 1. */
  readonly stage: null | 'parse' | 'check' | 'backend' | 'register';
  /** Null when not accepted. */
  readonly effective: EffectiveConfig | null;
}

/** Exactly what flanneld of this release makes of the config at `<prefix>/config`. Never throws for any text. */
export function judgeConfig(_text: Uint8Array | string, _version: FlannelVersion): Verdict {
  throw new Error('not built yet');
}

/** A network that somebody wants, in words that were not checked yet. */
export interface NetworkWish {
  readonly network?: string;
  readonly subnetLen?: number;
  readonly subnetMin?: string;
  readonly subnetMax?: string;
  readonly ipv6Network?: string;
  readonly ipv6SubnetLen?: number;
  readonly ipv6SubnetMin?: string;
  readonly ipv6SubnetMax?: string;
  readonly enableIPv4?: boolean;
  readonly enableNFTables?: boolean;
  readonly backend: {
    readonly type: string;
    readonly options: Readonly<Record<string, string | number | boolean>>;
  };
}

/**
 * The text that netctl writes: exact-case keys in flannel's documented order, always an explicit Backend.
 * @throws InvalidInput for a CIDR, address or backend option that cannot be meant, with the corrected form
 */
export function canonicalConfig(_wish: NetworkWish): string {
  throw new Error('not built yet');
}

/** Would flanneld behave the same under both? */
export function sameEffect(_a: EffectiveConfig, _b: EffectiveConfig): boolean {
  throw new Error('not built yet');
}

/** What a network is, in numbers for people. */
export interface NetworkFacts {
  /** Subnets between first and last, both counted; 0 when the range is inverted. */
  readonly subnetCount: number;
  readonly firstSubnet: string;
  readonly lastSubnet: string;
  readonly addressesPerSubnet: number;
  /** Containers on one node: docker0 takes one address, network and broadcast are not usable. */
  readonly containersPerNode: number;
  readonly subnetLen: number;
  /** `FLANNEL_MTU` in subnet.env with the given interface MTU. */
  readonly mtu: number;
  readonly interfaceMtu: number;
}

/** Facts of the IPv4 side; null when IPv4 is off. */
export function describeNetwork(
  _effective: EffectiveConfig,
  _version: FlannelVersion,
  _interfaceMtu = 1500,
): NetworkFacts | null {
  throw new Error('not built yet');
}
