import type { LeaseReport } from '../check/lease-report';
import type { LeaseProblem } from '../check/leases';
import type { Api, Revision } from '../store/store';
import { formatCount, plural } from './count';
import type { RecordLine, RecordView } from './record';

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
  /** Whether the nodes of the leases live; null when nobody looked. */
  readonly look: LeaseReport | null;
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
            ...lookLines(value),
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

/** Leases that do not certainly live, one a line. */
const mostShown = 20;

const lookWords = [
  ['proven-gone', 'proven gone'],
  ['not-proven', 'not proven'],
  ['kept', 'kept'],
  ['alive', 'alive'],
] as const;

function lookLines({ look }: SubnetCheckDocument): readonly RecordLine[] {
  if (look === null) return [];
  const counts = lookWords.flatMap(([verdict, word]) => {
    const count = look.leases.filter((lease) => lease.verdict === verdict).length;
    return count === 0 ? [] : [`${formatCount(count)} ${word}`];
  });
  const dark = look.leases.filter(({ verdict }) => verdict === 'proven-gone' || verdict === 'not-proven');
  const more = dark.length - mostShown;
  return [
    ['nodes', counts.join(', ')],
    ...dark.slice(0, mostShown).map(({ verdict, subnet, node, publicIP, why }): RecordLine => {
      const word = verdict === 'proven-gone' ? 'proven gone' : 'not proven gone';
      return [subnet, `${node ?? publicIP ?? 'no public IP'}: ${word}, ${why}`];
    }),
    ...(more > 0 ? [`${formatCount(more)} more; -o json has them all`] : []),
  ];
}
