import { posix } from 'node:path';

/** Where flannel's documentation and its default flag put a network. */
export const defaultPrefix = '/coreos.com/network';

/**
 * The prefix as flanneld uses it: Go's `path.Join` drops doubled and trailing slashes and resolves dots.
 * A missing leading slash stays missing (v3 keeps it so, v2 adds it on the server). `/` becomes `''`.
 */
export function cleanPrefix(prefix: string): string {
  return posix.join(prefix, 'config').slice(0, -'/config'.length);
}

/** The key of the network config. */
export function configKey(prefix: string): string {
  return posix.join(prefix, 'config');
}

/**
 * What flanneld lists and watches. On v3 it is a text prefix without a slash at its end, so `<prefix>/subnets-old/…` is
 * listed too; on v2 it is a directory, which holds only what lies in it.
 */
export function leaseListing(prefix: string): string {
  return posix.join(prefix, 'subnets');
}
