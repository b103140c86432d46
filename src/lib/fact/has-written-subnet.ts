import type { Known } from './fact';
import type { Process } from './processes';

/**
 * Has the flanneld that runs got as far as its subnet? supervisord calls it STARTING for `startsecs` also when it
 * ends again and again; it writes subnet.env anew each time it got one.
 * @param subnetEnv the file of that name, by the same clock
 */
export function hasWrittenSubnet(
  flanneld: Known<readonly Process[]>,
  subnetEnv: Known<{ readonly present: true; readonly modifiedAtSeconds: number } | { readonly present: false }>,
): boolean {
  if (!flanneld.known || !subnetEnv.known || !subnetEnv.value.present) return false;
  const process = flanneld.value.find(({ isInHostsNamespace }) => isInHostsNamespace !== false);
  // The start of a process is known to the second.
  return process?.startedAtSeconds != null && subnetEnv.value.modifiedAtSeconds >= process.startedAtSeconds - 1;
}
