import type { FlannelVersion } from '../net/flannel-version';
import { describeNetwork, type EffectiveConfig, type NetworkFacts } from '../net/network-config';
import type { Problem } from '../net/problem';
import type { LeaseFate, NetworkChange, NodeFate } from '../plan/network-change';
import type { SetNetworkPlan } from '../plan/set-network';
import type { Api, Revision } from '../store/store';
import { printableConfigText } from './config-text';
import { plural } from './count';
import { networkLines } from './network-card';
import { printable } from './network-validation';
import type { RecordLine, RecordView } from './record';

/** The document of `init-network -o json` and `network rollback -o json`. */
export interface NetworkChangeDocument {
  readonly state: 'unchanged' | 'created' | 'changed' | 'would-create' | 'would-change';
  readonly prefix: string;
  readonly api: Api;
  /** Revision of the config that is in etcd now; null when there is none. */
  readonly revision: Revision | null;
  readonly flannel: string;
  readonly before: string | null;
  readonly after: string;
  readonly network: EffectiveConfig | null;
  readonly facts: NetworkFacts | null;
  readonly impact: NetworkChange['impact'];
  readonly rolling: boolean;
  readonly differences: readonly string[];
  readonly counts: NetworkChange['counts'];
  readonly leases: readonly LeaseFate[];
  readonly nodes: readonly NodeFate[];
  readonly running: string | null;
  readonly atRestart: readonly string[];
  readonly steps: readonly string[];
  readonly warnings: readonly string[];
  readonly problems: readonly Problem[];
}

export interface NetworkChangeFacts {
  readonly plan: SetNetworkPlan;
  readonly text: Uint8Array;
  readonly applied: boolean;
  readonly prefix: string;
  readonly api: Api;
  readonly version: FlannelVersion;
  readonly revision: Revision | null;
  readonly problems: readonly Problem[];
}

export function networkChangeDocument(facts: NetworkChangeFacts): NetworkChangeDocument {
  const { plan, applied, version } = facts;
  const { effect } = plan;
  const { effective } = plan.wish;
  return {
    state: stateOf(plan, applied),
    prefix: facts.prefix,
    api: facts.api,
    revision: facts.revision,
    flannel: version.tag,
    before: plan.current === null ? null : printableConfigText(plan.current.entry.value),
    after: printableConfigText(facts.text),
    network: effective === null ? null : printable(effective),
    facts: effective === null ? null : describeNetwork(effective, version),
    impact: effect?.impact ?? 'none',
    rolling: effect?.rolling ?? true,
    differences: effect?.differences ?? [],
    counts: effect?.counts ?? { leases: 0, kept: 0, lost: 0, otherBackend: 0 },
    leases: effect?.fates ?? [],
    nodes: effect?.nodes ?? [],
    running: effect?.running ?? null,
    atRestart: effect?.atRestart ?? [],
    steps: effect?.steps ?? [],
    warnings: effect?.warnings ?? [],
    problems: facts.problems,
  };
}

function stateOf(plan: SetNetworkPlan, applied: boolean): NetworkChangeDocument['state'] {
  switch (plan.state) {
    case 'unchanged':
      return 'unchanged';
    case 'create':
      return applied ? 'created' : 'would-create';
    case 'change':
      return applied ? 'changed' : 'would-change';
    default:
      return plan.state satisfies never;
  }
}

const stateWords: Readonly<Record<NetworkChangeDocument['state'], string>> = {
  unchanged: 'unchanged',
  created: 'created',
  changed: 'changed',
  'would-create': 'not written: would be created',
  'would-change': 'not written: would be changed',
};

const fateWords: Readonly<Record<LeaseFate['fate'], string>> = {
  kept: 'kept',
  'outside-network': 'lost: outside the network',
  'out-of-range': 'lost: outside SubnetMin..SubnetMax',
  'wrong-length': 'lost: wrong length',
  'dual-stack-mismatch': 'lost: IPv4-only and dual-stack do not mix',
};

/** Leases that a person is shown one by one. */
const listedLeases = 20;

function leaseLines(document: NetworkChangeDocument): readonly RecordLine[] {
  const { leases, counts } = document;
  if (leases.length === 0) return [];
  const worst = [...leases].sort((a, b) => Number(a.fate === 'kept') - Number(b.fate === 'kept'));
  const lines: RecordLine[] = worst.slice(0, listedLeases).map((lease) => {
    const words = lease.otherBackend ? `${fateWords[lease.fate]}; cut off until it restarts` : fateWords[lease.fate];
    const owner = [lease.publicIP ?? 'no public IP', lease.node].filter((part) => part !== null).join(' ');
    const bad = lease.fate !== 'kept' || lease.otherBackend;
    return [lease.subnet, { text: `${owner}  ${words}`, tone: bad ? 'bad' : 'good' }];
  });
  if (worst.length > listedLeases)
    lines.push(`and ${plural(worst.length - listedLeases, 'more lease')}: -o json has them all`);
  lines.push(`${counts.kept} kept, ${counts.lost} lost, ${counts.otherBackend} with another backend`);
  return lines;
}

export function networkChangeView(version: FlannelVersion): RecordView<NetworkChangeDocument> {
  return {
    kind: 'NetworkChange',
    name: ({ prefix }) => prefix,
    sections: [
      {
        lines: (value) => [
          ['config', `${value.prefix}/config, etcd ${value.api}`],
          [
            'state',
            {
              text:
                value.revision === null
                  ? stateWords[value.state]
                  : `${stateWords[value.state]} (revision ${value.revision})`,
              tone: value.state === 'created' || value.state === 'changed' ? 'good' : 'strong',
            },
          ],
          ...(value.network === null ? [] : networkLines(value.network, version)),
        ],
      },
      { title: 'Changes', lines: (value) => value.differences },
      { title: 'Leases', lines: (value) => (value.impact === 'none' ? [] : leaseLines(value)) },
      {
        title: 'What happens',
        lines: (value) =>
          value.impact === 'none' || value.running === null
            ? []
            : [
                ['impact', { text: value.impact, tone: value.impact === 'outage' ? 'bad' : 'warn' }],
                ['now', value.running],
                ...value.atRestart.map((line): RecordLine => ['at restart', line]),
                ...value.warnings.map((line): RecordLine => ['mind', { text: line, tone: 'warn' }]),
              ],
      },
      { title: 'Steps', lines: (value) => value.steps.map((step, index): RecordLine => [`${index + 1}.`, step]) },
    ],
  };
}
