import { formatCidr } from '../net/cidr';
import { formatIpv4 } from '../net/ipv4';
import type { SubnetState, SubnetStates } from '../plan/subnet-map';
import type { RecordView } from './record';

/** Neighbouring subnets of one state. */
export interface SubnetRun {
  readonly state: SubnetState;
  readonly first: string;
  readonly last: string;
  readonly count: number;
}

/** The document of `subnets map -o json`: the picture as runs. */
export interface SubnetMapDocument {
  readonly prefix: string;
  readonly network: string;
  readonly subnetLen: number;
  readonly count: number;
  /** False: which leases are about to expire was not asked, so none is `expiring`. */
  readonly ttlAsked: boolean;
  readonly counts: Readonly<Record<SubnetState, number>>;
  readonly runs: readonly SubnetRun[];
}

export function mapCountsView(
  map: SubnetStates,
  stateAt: (index: number) => SubnetState,
  prefix: string,
  ttlAsked: boolean,
): [SubnetMapDocument, RecordView<SubnetMapDocument>] {
  const counts: Record<SubnetState, number> = { free: 0, used: 0, permanent: 0, reserved: 0, expiring: 0, outside: 0 };
  const runs: SubnetRun[] = [];
  const size = 2 ** (32 - map.subnetLen);
  const name = (index: number) => `${formatIpv4(map.first + index * size)}/${map.subnetLen}`;
  for (let from = 0; from < map.count; ) {
    const state = stateAt(from);
    let to = from + 1;
    while (to < map.count && stateAt(to) === state) to += 1;
    counts[state] += to - from;
    runs.push({ state, first: name(from), last: name(to - 1), count: to - from });
    from = to;
  }
  const network = formatCidr(map.network);
  return [
    { prefix, network, subnetLen: map.subnetLen, count: map.count, ttlAsked, counts, runs },
    {
      kind: 'SubnetMap',
      name: (value) => value.network,
      sections: [{ lines: (value) => Object.entries(value.counts) }],
    },
  ];
}
