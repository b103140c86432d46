import type { StateNetwork } from '../check/node-state';
import type { Problem } from '../net/problem';
import { type NodeStatusItem, nodeStatusItem, unreachableItem } from '../view/node-status';
import type { NodeLook } from './fleet-state';

/** Looks in the words of the public document. */
export function statusItems(looks: readonly NodeLook[], network: StateNetwork): readonly NodeStatusItem[] {
  return looks.map((look) => {
    if (look.isReachable) return nodeStatusItem(look.node, look.state);
    const { publicIP } = look.node;
    const lease = publicIP === undefined ? undefined : network.leases.find((each) => each.publicIP === publicIP);
    const expiresInSeconds = lease === undefined ? null : (network.ttls.get(lease.key) ?? lease.ttlSeconds);
    return unreachableItem(
      look.node,
      lease === undefined ? null : { subnet: lease.subnetText, expiresInSeconds },
      look.error,
    );
  });
}

/** The problems of all nodes, each with its node in front. */
export function statusProblems(items: readonly NodeStatusItem[]): readonly Problem[] {
  return items.flatMap(({ name, problems }) => problems.map((problem) => ({ ...problem, path: name })));
}

/** What could not be found out, the same of several nodes on one line. */
export function unknownLines(items: readonly NodeStatusItem[]): readonly string[] {
  const lines = new Map<string, string[]>();
  for (const { name, unknown } of items) {
    for (const { what, why } of unknown) {
      const text = `${what} (${why})`;
      lines.set(text, [...(lines.get(text) ?? []), name]);
    }
  }
  return [...lines].map(([text, names]) => `not known of ${names.join(', ')}: ${text}`);
}
