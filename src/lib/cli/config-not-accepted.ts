import type { Review } from '../check/network-config';
import { InvalidInput } from '../errors';

/** flanneld would not take this config, so it is not written. */
export function notAccepted({ verdict, problems }: Review): InvalidInput {
  const errors = problems.filter(({ severity }) => severity === 'error');
  const effect = verdict.outcome === 'crashes' ? 'would crash on this config' : 'would not take this config';
  return new InvalidInput({
    code: verdict.outcome === 'crashes' ? 'crashes-flanneld' : 'config-refused',
    message: `flannel ${verdict.flannel} ${effect}: ${verdict.error ?? 'it says nothing'}`,
    details: errors.map(({ code, path, message }) => `${code}: ${path === '' ? '' : `${path}: `}${message}`),
    next: errors.flatMap(({ suggestion }) => (suggestion === null ? [] : [suggestion])),
  });
}
