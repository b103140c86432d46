/** What leases need to know of a node of the inventory. An inventory's node fits as it is. */
export interface NodeRef {
  readonly name: string;
  /** Where SSH reaches it. */
  readonly address?: string;
  /** flanneld's PublicIP: the address that peers send to, and the identity of the lease. */
  readonly publicIP?: string;
  /** The subnet that this node shall have, `10.5.1.0/24`. */
  readonly subnet?: string;
}

/** The address under which a node's lease is looked for; undefined when the inventory does not say. */
export function publicIPOf(node: NodeRef): string | undefined {
  return node.publicIP ?? node.address;
}

/** Nodes by public IP. Of two nodes with one address the first keeps it: which of them owns the lease cannot be known. */
export function nodesByPublicIP<N extends NodeRef>(nodes: readonly N[]): ReadonlyMap<string, N> {
  const byIP = new Map<string, N>();
  for (const node of nodes) {
    const ip = publicIPOf(node);
    if (ip !== undefined && !byIP.has(ip)) byIP.set(ip, node);
  }
  return byIP;
}
