import { formatCidr, type Ipv4Cidr } from './cidr';

/** A bridge with containers, and their range. */
export interface ContainerBridge {
  readonly device: string;
  readonly subnet: Ipv4Cidr;
}

/** The comment of our rules in nat POSTROUTING and in DOCKER-USER. */
export const masqueradeComment = 'netctl:masquerade';

/** The chain of our own that DOCKER-USER sends packets of the network to. Nobody else writes to it. */
export const overlayChain = 'NETCTL-OVERLAY';

const comment = ['-m', 'comment', '--comment', masqueradeComment] as const;

/**
 * Docker's rule, as it writes it for every bridge that it masquerades: whatever leaves by another device gets the node's address,
 * also what goes to containers of other nodes (moby, bridge/setup_ip_tables_linux.go). Words in the order of iptables-save.
 */
export function dockerMasquerade({ device, subnet }: ContainerBridge): readonly string[] {
  return ['-s', formatCidr(subnet), '!', '-o', device, '-j', 'MASQUERADE'];
}

/** The same for everything but the network: containers of other nodes see the container's own address. */
export function mendedMasquerade({ device, subnet }: ContainerBridge, network: Ipv4Cidr): readonly string[] {
  return ['-s', formatCidr(subnet), '!', '-d', formatCidr(network), '!', '-o', device, ...comment, '-j', 'MASQUERADE'];
}

/** In DOCKER-USER, which FORWARD goes through first: what comes to a bridge from the network is judged by our chain. */
export function overlayJump({ device }: ContainerBridge, network: Ipv4Cidr): readonly string[] {
  return ['-s', formatCidr(network), '!', '-i', device, '-o', device, ...comment, '-j', overlayChain];
}

/**
 * In our chain: packets from containers of other nodes pass Docker's filter. Those from another bridge of this machine go back to
 * DOCKER-USER, to whatever people and Docker say of them: Docker keeps its networks apart.
 */
export function overlayRules(localBridges: readonly string[]): readonly (readonly string[])[] {
  return [...localBridges.map((device) => ['-i', device, '-j', 'RETURN']), ['-j', 'ACCEPT']];
}

/** Names that can stand in a script as they are. Docker makes `docker0` and `br-…`; a person may name a bridge with anything. */
export function isPlainDevice(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$/.test(name);
}
