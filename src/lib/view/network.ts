import type { FlannelVersion } from '../net/flannel-version';
import { describeNetwork, type EffectiveConfig, type NetworkFacts, type Verdict } from '../net/network-config';
import type { Problem } from '../net/problem';
import type { Capacity } from '../plan/capacity';
import type { Api, Revision } from '../store/store';
import { printableConfigText } from './config-text';
import { formatCount } from './count';
import { networkLines } from './network-card';
import { printable, verdictText } from './network-validation';
import type { RecordView } from './record';

/** The document of `network show -o json`. */
export interface NetworkDocument {
  readonly prefix: string;
  readonly api: Api;
  readonly endpoint: string;
  readonly clusterId: string;
  /** Revision of the config's last change. */
  readonly revision: Revision;
  readonly flannel: string;
  readonly config: string;
  readonly valid: boolean;
  readonly effective: EffectiveConfig | null;
  readonly facts: NetworkFacts | null;
  readonly capacity: Capacity | null;
  readonly leases: number;
  readonly problems: readonly Problem[];
}

export interface NetworkShown extends Omit<NetworkDocument, 'config' | 'effective' | 'facts' | 'valid' | 'flannel'> {
  readonly config: Uint8Array;
  readonly verdict: Verdict;
}

/** Free subnets that are named one by one. */
const namedNext = 3;

export function networkView(
  shown: NetworkShown,
  version: FlannelVersion,
): [NetworkDocument, RecordView<NetworkDocument>] {
  const { verdict } = shown;
  const effective = verdict.effective === null ? null : printable(verdict.effective);
  const value: NetworkDocument = {
    prefix: shown.prefix,
    api: shown.api,
    endpoint: shown.endpoint,
    clusterId: shown.clusterId,
    revision: shown.revision,
    flannel: verdict.flannel,
    config: printableConfigText(shown.config),
    valid: verdict.outcome === 'accepted',
    effective,
    facts: effective === null ? null : describeNetwork(effective, version),
    capacity: shown.capacity,
    leases: shown.leases,
    problems: shown.problems,
  };
  return [
    value,
    {
      kind: 'Network',
      name: ({ prefix }) => prefix,
      sections: [
        {
          lines: () => [
            ['config', `${value.prefix}/config, etcd ${value.api}, revision ${value.revision}`],
            ['verdict', { text: verdictText(verdict), tone: value.valid ? 'good' : 'bad' }],
            ...(effective === null ? [['text', value.config] as const] : networkLines(effective, version)),
          ],
        },
        { title: 'Use', lines: () => useLines(value) },
      ],
    },
  ];
}

function useLines({ capacity, leases }: NetworkDocument): readonly (readonly [string, string])[] {
  if (capacity === null) return [['leases', formatCount(leases)]];
  const percent = Math.round(capacity.utilisation * 1000) / 10;
  const [first, ...more] = capacity.next;
  const next =
    first === undefined
      ? 'none: the next node ends with "out of subnets"'
      : `${[first, ...more.slice(0, namedNext - 1)].join(', ')}${capacity.next.length > namedNext ? ', …' : ''} (flanneld takes one of the first ${capacity.next.length} free at random)`;
  return [
    ['leases', formatCount(leases)],
    ['in use', `${formatCount(capacity.used)} of ${formatCount(capacity.total)} subnets (${percent} %)`],
    ['free', formatCount(capacity.free)],
    ['next', next],
  ];
}
