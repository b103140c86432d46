import type { LeaseProblem } from '../check/leases';
import type { Api, Revision } from '../store/store';
import { formatCount, plural } from './count';
import type { RecordView } from './record';

/** The document of `subnets check -o json`. */
export interface SubnetCheckDocument {
  readonly prefix: string;
  readonly api: Api;
  readonly clusterId: string;
  readonly revision: Revision;
  readonly flannel: string;
  readonly leases: number;
  readonly ttlAsked: boolean;
  /** No error and no warning. */
  readonly healthy: boolean;
  readonly counts: { readonly error: number; readonly warning: number; readonly info: number };
  readonly problems: readonly LeaseProblem[];
}

export function subnetCheckView(
  facts: Omit<SubnetCheckDocument, 'healthy' | 'counts'>,
): [SubnetCheckDocument, RecordView<SubnetCheckDocument>] {
  const count = (severity: LeaseProblem['severity']) =>
    facts.problems.filter((each) => each.severity === severity).length;
  const counts = { error: count('error'), warning: count('warning'), info: count('info') };
  const value = { ...facts, counts, healthy: counts.error + counts.warning === 0 };
  return [
    value,
    {
      kind: 'SubnetCheck',
      name: ({ problems }) => problems.map(({ code, subject }) => `${code}\t${subject}`).join('\n'),
      sections: [
        {
          lines: () => [
            ['network', `${value.prefix}, etcd ${value.api}, revision ${value.revision}, flannel ${value.flannel}`],
            ['leases', formatCount(value.leases)],
            [
              'result',
              value.healthy
                ? { text: 'no problems', tone: 'good' }
                : { text: `${plural(counts.error, 'error')}, ${plural(counts.warning, 'warning')}`, tone: 'bad' },
            ],
          ],
        },
      ],
    },
  ];
}
