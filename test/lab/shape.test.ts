import { describe, expect, test } from 'vitest';
import { lanScript, plugScript } from './network';
import { type LabOptions, type Shape, shapeOf } from './shape';

const place = {
  id: 'test',
  folder: '/lab',
  owner: null,
  base: { root: '/base/root', busybox: '/base/busybox', www: '/base/www' },
};
const shape = (options: LabOptions, ...taken: string[]): Shape => shapeOf(options, place, taken);
const networks = ({ segments }: Shape) => segments.map((segment) => segment.network);

describe('The shape of a lab', () => {
  test('has the seeds’ numbers unless told otherwise', () => {
    const { hosts, segments, etcd } = shape({ hosts: 2, etcd: { members: ['lan', 'node1', 'node2'] } });
    expect(hosts.map(({ name, address }) => `${name} ${address}`)).toEqual(['node1 10.4.7.21', 'node2 10.4.7.22']);
    expect(segments).toEqual([
      { network: '10.4.7.0/24', prefix: 24, gateway: '10.4.7.254', workstation: '10.4.7.200' },
    ]);
    expect(etcd?.members.map((member) => member.address)).toEqual(['10.4.7.12', '10.4.7.21', '10.4.7.22']);
  });

  test('takes the next networks when this machine reaches the first', () => {
    expect(networks(shape({}, '10.4.7.200'))).toEqual(['10.4.8.0/24']);
    expect(networks(shape({ segments: 2 }, '10.4.8.0/24', '127.0.0.0/8'))).toEqual(['10.4.9.0/24', '10.4.10.0/24']);
    expect(networks(shape({ workstation: 'namespace' }, '10.4.7.0/24'))).toEqual(['10.4.7.0/24']);
  });

  test('refuses networks that are asked for and taken, and says what to do', () => {
    const segments = [{ network: '172.16.70.0/24' }];
    expect(() => shape({ segments }, '172.16.0.0/12')).toThrow("workstation: 'namespace'");
    expect(shape({ segments, hosts: [{ address: '172.16.70.190' }] }).hosts[0]?.address).toBe('172.16.70.190');
  });

  test('refuses an address outside its segment, a name twice, and a segment or member that is not there', () => {
    expect(() => shape({ hosts: [{ address: '10.4.8.21' }] })).toThrow('node1: 10.4.8.21 is not in its segment');
    expect(() => shape({ hosts: [{ name: 'a' }, { name: 'a' }] })).toThrow('a: two hosts');
    expect(() => shape({ hosts: [{ name: 'ws' }] })).toThrow('ws: a host');
    expect(() => shape({ hosts: [{ segment: 2 }] })).toThrow('there is no segment 2');
    expect(() => shape({ etcd: { members: ['node9'] } })).toThrow('node9: no such host');
  });

  test('keeps the cards of its hosts over boots, and gives no two the same', () => {
    const macs = shape({ hosts: 9, jump: true }).hosts.flatMap((host) => host.nics.map((nic) => nic.mac));
    expect(new Set(macs).size).toBe(11);
    expect(shape({ hosts: 9, jump: true }).hosts.flatMap((host) => host.nics.map((nic) => nic.mac))).toEqual(macs);
  });

  test('leads nowhere else: no default route on the LAN, and no forwarding from the workstation’s cable', () => {
    const script = lanScript(shape({ hosts: 2 }));
    expect(script).not.toContain('default');
    expect(script).toContain('echo 0 >/proc/sys/net/ipv4/conf/nl-test/forwarding');
  });

  test('with a jump host the gateway refuses the workstation the second segment', () => {
    expect(lanScript(shape({ jump: true }))).toContain('rule add from 10.4.7.200 to 10.4.8.0/24 prohibit');
    expect(lanScript(shape({ segments: 2 }))).not.toContain('prohibit');
  });

  test('a host behind a NAT has its default route there and the other segment by the gateway', () => {
    const lab = shape({ hosts: 1, segments: 2, nat: true });
    const script = lab.hosts.map((host) => plugScript(lab, host)).join('');
    expect(script).toContain('route add default via 10.0.2.2');
    expect(script).toContain('route add 10.4.8.0/24 via 10.4.7.254 dev eth1');
  });
});
