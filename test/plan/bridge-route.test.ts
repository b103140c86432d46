import { describe, expect, it } from 'vitest';
import { type Link, links } from '../../src/lib/fact/links';
import { type Route, routes } from '../../src/lib/fact/routes';
import { parseIpv4Cidr } from '../../src/lib/net/cidr';
import { bridgeRoute } from '../../src/lib/plan/bridge-route';

const bytes = (text: string) => ({ code: 0, stdout: new TextEncoder().encode(text), stderr: new Uint8Array() });
function linksOf(text: string): readonly Link[] {
  const read = links.parse(bytes(text));
  if (!read.known) throw new Error(read.why);
  return read.value;
}
function routesOf(text: string): readonly Route[] {
  const read = routes(4).parse(bytes(text));
  if (!read.known) throw new Error(read.why);
  return read.value;
}
const subnet = parseIpv4Cidr('172.7.60.0/24') ?? { base: 0, length: 0 };

const machine = linksOf(`1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default
    inet 127.0.0.1/8 scope host lo
2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default
    inet 10.4.7.33/24 scope global eth0
3: docker0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue state UP group default
    inet 172.7.60.1/24 brd 172.7.60.255 scope global docker0
11: flannel.1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue state UNKNOWN group default
    inet 172.7.60.0/32 scope global flannel.1
`);
const others = 'default via 10.4.7.254 dev eth0 onlink\n172.7.22.0/24 via 172.7.22.0 dev flannel.1 onlink\n';

describe("the kernel's route to a bridge", () => {
  it('is left alone when it is there', () => {
    const there = routesOf(`${others}172.7.60.0/24 dev docker0 proto kernel scope link src 172.7.60.1\n`);
    expect(bridgeRoute(subnet, machine, there)).toBeNull();
  });

  it.each(['', '172.7.60.0/24 via 172.7.60.0 dev flannel.1 onlink\n', '172.7.60.0/24 via 10.4.7.23 dev eth0\n'])(
    'is put back when another has taken its place: %j',
    (line) => {
      expect(bridgeRoute(subnet, machine, routesOf(`${others}${line}`))).toMatchObject({
        argv: 'ip route replace 172.7.60.0/24 dev docker0 proto kernel scope link src 172.7.60.1'.split(' '),
      });
    },
  );

  it('is no concern where no bridge stands in the subnet', () => {
    expect(bridgeRoute(parseIpv4Cidr('172.7.61.0/24') ?? subnet, machine, routesOf(others))).toBeNull();
    expect(bridgeRoute(parseIpv4Cidr('172.7.60.0/25') ?? subnet, machine, routesOf(others))).toBeNull();
  });
});
