import type { Screen } from './format';

export type SubnetState = 'free' | 'used' | 'permanent' | 'reserved' | 'expiring' | 'outside';

export interface SubnetMap {
  /** The network as written, `10.1.0.0/16`; for the title only. */
  readonly network: string;
  /** Prefix length of one subnet, bits: 24. */
  readonly subnetLen: number;
  /** First address of the subnet with index 0, as a number. */
  readonly first: number;
  /** How many subnets, 1 to 2^22. */
  readonly count: number;
  /** What the subnet with this index is; called once for each. */
  readonly cells: (index: number) => SubnetState;
}

/** The address space as a picture. Ends in `\n`. */
export async function renderSubnetMap(_map: SubnetMap, _screen: Screen): Promise<string> {
  throw new Error('lands in a few minutes');
}
