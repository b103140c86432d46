import type { Known } from './fact';
import type { FileState } from './files';
import type { Process } from './processes';

type States = ReadonlyMap<string, Known<({ readonly present: true } & FileState) | { readonly present: false }>>;

/**
 * Has the flanneld that runs got as far as its subnet? supervisord calls it STARTING for `startsecs`, half a minute, also when it
 * ends again and again; it writes subnet.env anew each time it got one.
 */
export function hasWrittenSubnet(
  { flanneld, texts }: { readonly flanneld: Known<readonly Process[]>; readonly texts: Known<States> },
  subnetFile: string,
): boolean {
  if (!flanneld.known || !texts.known) return false;
  const startedAtSeconds = flanneld.value.find(
    ({ isInHostsNamespace }) => isInHostsNamespace !== false,
  )?.startedAtSeconds;
  const file = texts.value.get(subnetFile);
  if (startedAtSeconds === undefined || startedAtSeconds === null || file?.known !== true) return false;
  // The start of a process is known to the second.
  return file.value.present && file.value.modifiedAtSeconds >= startedAtSeconds - 1;
}
