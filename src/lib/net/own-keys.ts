import { InvalidInput } from '../errors';
import { cleanPrefix, defaultPrefix } from './flannel-keys';

/**
 * netctl's own keys lie beside the network, in `<prefix>-netctl/`, never in it.
 *
 * flanneld lists leases by the text prefix `<prefix>/subnets`, without a slash at the end, and reads any key there whose
 * end looks like a subnet as a lease: a backup at `<prefix>/subnets-old/10.5.1.0-24` blocks that range for everybody. A
 * key there that it cannot read makes every flanneld since v0.21.3 drop its routes to all other nodes. Outside `<prefix>/`
 * neither can happen, and a wipe of the network (`etcdctl del --prefix <prefix>/`) leaves the history in place.
 */
const marker = '-netctl';

/** Revisions in keys have this many digits, so that byte order is the order of time. */
const revisionDigits = 20;

/** Everything that netctl itself keeps about the network at `prefix`; ends in a slash. */
export function ownPrefix(prefix: string): string {
  return `${cleanPrefix(prefix)}${marker}/`;
}

/** The lock of the operator who is changing the network. */
export function lockKey(prefix: string): string {
  return `${ownPrefix(prefix)}lock`;
}

/** Former values of the network config; ends in a slash. */
export function historyPrefix(prefix: string): string {
  return `${ownPrefix(prefix)}history/`;
}

/** @param revision the revision (v3) or index (v2), decimal, at which the kept value was written */
export function historyKey(prefix: string, revision: string): string {
  if (!/^\d{1,20}$/.test(revision)) throw new Error(`not a revision: ${JSON.stringify(revision)}`);
  return `${historyPrefix(prefix)}${revision.padStart(revisionDigits, '0')}`;
}

/** Why a network must not live at this prefix; null when it may. */
export function prefixProblem(prefix: string): string | null {
  const clean = cleanPrefix(prefix);
  if (clean === '' && !prefix.startsWith('/')) return 'it is empty';
  if (clean === '..' || clean.startsWith('../')) return 'it leads out of the tree';
  if (/[\u0000-\u001f\u007f]/.test(prefix)) return 'it holds a control character';
  for (const segment of clean.split('/')) {
    if (segment.endsWith(marker)) return `a part ends in ${marker}, which is where netctl keeps its own keys`;
    if (segment.startsWith('subnets')) {
      return 'a part begins with "subnets": flanneld of a network above it would take its keys for leases';
    }
  }
  if (!compiles(clean)) return 'flanneld compiles it as a regular expression at start and would crash';
  return null;
}

/** Go's and JavaScript's expressions differ in details; those that only one takes are rare enough to refuse as well. */
function compiles(text: string): boolean {
  try {
    new RegExp(`${text}/([^/]*)(/|/config)?$`);
    return true;
  } catch {
    return false;
  }
}

/**
 * The prefix in the form that flanneld uses, when a network may live there. To be asked before anything is written.
 * @throws InvalidInput `bad-prefix`
 */
export function requirePrefix(prefix: string): string {
  const problem = prefixProblem(prefix);
  if (problem === null) return cleanPrefix(prefix);
  throw new InvalidInput({
    code: 'bad-prefix',
    message: `etcd prefix ${JSON.stringify(prefix)} cannot hold a network: ${problem}`,
    next: [
      `${defaultPrefix} is flannel's own default; another network has another last part, such as /coreos.com/blue.`,
    ],
  });
}
