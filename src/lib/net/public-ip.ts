import { cidrContains, formatCidr, type Ipv4Cidr } from './cidr';

/**
 * Why an address cannot be the public IP of one host among others, by which flanneld finds its lease; undefined when it can.
 * @param network the container network, where a host cannot be
 */
export function whyNoPublicIP(address: number, network: Ipv4Cidr | undefined): string | undefined {
  const first = Math.floor(address / 2 ** 24);
  if (address === 0) return 'flanneld works with 0.0.0.0';
  if (first === 0) return 'no host can have it';
  if (first === 127) return 'it is the loopback address, the same on every machine';
  if (Math.floor(address / 2 ** 16) === 0xa9fe)
    return 'it is link-local, which a machine gives itself when it has no other';
  if (address === 0x0a00020f) return 'it is what VirtualBox and Vagrant give to every machine';
  if (first >= 224) return 'it is not an address of a host';
  if (network !== undefined && cidrContains(network, address))
    return `it lies inside the container network ${formatCidr(network)}`;
  return undefined;
}
