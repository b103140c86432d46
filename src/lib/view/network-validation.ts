import type { Review } from '../check/network-config';
import { withoutSecrets } from '../net/backend';
import type { FlannelVersion } from '../net/flannel-version';
import type { EffectiveConfig, Verdict } from '../net/network-config';
import type { Problem } from '../net/problem';
import { networkLines } from './network-card';
import type { RecordView } from './record';

/** The document of `network validate -o json`. */
export interface NetworkValidation {
  readonly valid: boolean;
  readonly flannel: string;
  readonly effective: EffectiveConfig | null;
  readonly problems: readonly Problem[];
}

/** An effective config as it may be printed: pre-shared keys and cloud secrets are hidden. */
export function printable(effective: EffectiveConfig): EffectiveConfig {
  const { backend } = effective;
  return { ...effective, backend: { ...backend, options: withoutSecrets(backend.type, backend.options) } };
}

/** What becomes of a node whose flanneld meets this config, in words. */
export function verdictText(verdict: Verdict): string {
  switch (verdict.outcome) {
    case 'accepted':
      return `accepted by flannel ${verdict.flannel}`;
    case 'crashes':
      return `crashes flannel ${verdict.flannel}`;
    case 'refused':
      return verdict.stage === 'parse' || verdict.stage === 'check'
        ? `refused by flannel ${verdict.flannel}, which tries again every second`
        : `refused by flannel ${verdict.flannel}, which exits`;
    default:
      return verdict.outcome satisfies never;
  }
}

export function networkValidationView(
  review: Review,
  version: FlannelVersion,
): [NetworkValidation, RecordView<NetworkValidation>] {
  const { verdict, problems } = review;
  const effective = verdict.effective === null ? null : printable(verdict.effective);
  const value = { valid: verdict.outcome === 'accepted', flannel: verdict.flannel, effective, problems };
  return [
    value,
    {
      kind: 'NetworkValidation',
      name: ({ valid }) => (valid ? 'valid' : 'invalid'),
      sections: [
        {
          lines: () => [
            ['verdict', { text: verdictText(verdict), tone: value.valid ? 'good' : 'bad' }],
            ...(verdict.error === null ? [] : [['flanneld says', verdict.error] as const]),
            ...(effective === null ? [] : networkLines(effective, version)),
          ],
        },
      ],
    },
  ];
}
