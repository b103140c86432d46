import type { Problem } from '../net/problem';
import type { Change } from './change';

/** What ought to be done in etcd about one subnet. */
export interface SubnetWork {
  /** `10.5.1.0/24`; a key where not even that is known. */
  readonly subnet: string;
  readonly publicIP: string | null;
  /** Name in the inventory, or as it was noted. */
  readonly node: string | null;
  readonly changes: readonly Change[];
  /** An error among them: nothing is done about this subnet. */
  readonly problems: readonly Problem[];
}

export function isBlocked({ problems }: Pick<SubnetWork, 'problems'>): boolean {
  return problems.some(({ severity }) => severity === 'error');
}
