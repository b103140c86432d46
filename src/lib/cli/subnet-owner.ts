import { InvalidInput } from '../errors';
import type { Inventory, InventoryNode } from '../inventory/inventory';
import { formatCidr, type Ipv4Cidr, requireIpv4, requireIpv4Cidr } from '../net/cidr';
import { formatIpv4 } from '../net/ipv4';
import { nodesByPublicIP } from '../net/node-ref';
import { chooseNodes } from './nodes';

/** A subnet as a person writes it, `10.5.1.0/24` or as in its key. @throws InvalidInput `bad-cidr`, `host-bits`, `reserve-what` */
export function requireSubnet(text: string | undefined): Ipv4Cidr {
  const subnet = requireIpv4Cidr((text ?? '').trim().replace(/-(\d{1,2})$/, '/$1'), 'SUBNET');
  if (subnet.length > 31 || subnet.length === 0) {
    throw new InvalidInput({
      code: 'bad-cidr',
      message: `SUBNET: ${formatCidr(subnet)} is not a subnet that flanneld could have`,
      next: ['10.5.1.0/24'],
    });
  }
  return subnet;
}

/**
 * The node that a person means by `--node` or `--public-ip`.
 * @throws InvalidInput `reserve-for-whom`, `unknown-node`, `no-public-ip`, `bad-ip`
 */
export function ownerOf(
  flags: { readonly node?: string | undefined; readonly 'public-ip'?: string | undefined },
  inventory: Inventory | undefined,
  subnet: Ipv4Cidr,
): { readonly publicIP: string; readonly node: string | null } {
  const { node: name, 'public-ip': ip } = flags;
  if ((name === undefined) === (ip === undefined)) {
    throw new InvalidInput({
      code: 'reserve-for-whom',
      message:
        name === undefined
          ? `${formatCidr(subnet)}: for which node?`
          : `${formatCidr(subnet)}: --node and --public-ip were both given; say one of them`,
      next: [
        `netctl subnets reserve ${formatCidr(subnet)} --node NAME`,
        `netctl subnets reserve ${formatCidr(subnet)} --public-ip IP`,
      ],
    });
  }
  if (ip !== undefined) {
    const publicIP = formatIpv4(requireIpv4(ip, '--public-ip'));
    return { publicIP, node: nodesByPublicIP(inventory?.nodes ?? []).get(publicIP)?.name ?? null };
  }
  const [node] = chooseNodes(inventory, { names: [name ?? ''], all: false, limit: [] });
  if (node === undefined) throw new TypeError(`${name} was chosen`);
  return { publicIP: requirePublicIP(node), node: node.name };
}

const longestNote = 200;

/** A line of text that stands in a table. @throws InvalidInput `bad-note` */
export function requireNote(text: string): string {
  const note = text.trim();
  if (note !== '' && note.length <= longestNote && !/\p{Cc}|\p{Cs}/u.test(note)) return note;
  throw new InvalidInput({
    code: 'bad-note',
    message: `--note takes one line of 1 to ${longestNote} characters, not ${JSON.stringify(text.slice(0, 40))}`,
    next: ['--note "DNS points there"'],
  });
}

/** By it flanneld finds its lease. @throws InvalidInput `no-public-ip` */
export function requirePublicIP({ name, publicIP }: InventoryNode): string {
  if (publicIP !== undefined) return publicIP;
  throw new InvalidInput({
    code: 'no-public-ip',
    message: `the inventory does not tell the public IP of ${name}, by which flanneld finds its lease`,
    next: [`nodes: - { name: ${name}, publicIP: 10.4.7.21 }`],
  });
}
