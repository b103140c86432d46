import { formatDuration } from './duration';
import { safeText } from './safe-text';
import type { SubnetItem } from './subnet-list';

/** A line of `subnets ls --watch -o json`. */
export interface SubnetEvent {
  /** `present`: it was there when the watch began. */
  readonly type: 'present' | 'added' | 'changed' | 'renewed' | 'deleted';
  /** When netctl saw it, by the clock of this machine. */
  readonly time: string;
  readonly revision: string;
  readonly item: SubnetItem;
}

/** The event for a person who reads a pipe or a log. */
export function subnetEventLine({ type, time, item }: SubnetEvent): string {
  const words = [time, type.padEnd(7), item.subnet, item.publicIP ?? '-', item.node ?? '-', item.backend ?? '-'];
  if (type !== 'deleted' && item.permanent) words.push('permanent');
  else if (type !== 'deleted' && item.expiresInSeconds !== null)
    words.push(`expires in ${formatDuration(item.expiresInSeconds)}`);
  if (item.problems.length > 0) words.push(item.problems.join(','));
  return safeText(words.join('  '));
}
