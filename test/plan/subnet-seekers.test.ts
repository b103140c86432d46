import { describe, expect, it } from 'vitest';
import { formatCidr, parseIpv4Cidr } from '../../src/lib/net/cidr';
import { parseFlannelVersion } from '../../src/lib/net/flannel-version';
import { judgeConfig } from '../../src/lib/net/network-config';
import { formatReservation, readReservations, reservationKey } from '../../src/lib/net/reservation';
import { assignSubnets, type SubnetSeeker } from '../../src/lib/plan/assign-subnets';
import { seekersOf } from '../../src/lib/plan/subnet-seekers';

const prefix = '/coreos.com/network';
const version = parseFlannelVersion('v0.28.9');
const { effective } = judgeConfig('{"Network":"172.7.0.0/16","Backend":{"Type":"host-gw"}}', version);
const node = (number: number, wanted: string | null = null): SubnetSeeker => ({
  name: `node${number}`,
  publicIP: `10.4.7.${number}`,
  wanted,
  previous: null,
});

function reserved(api: 'v2' | 'v3', ...pairs: readonly (readonly [subnet: string, publicIP: string])[]) {
  const entries = pairs.map(([text, publicIP]) => {
    const subnet = parseIpv4Cidr(text);
    if (subnet === undefined) throw new Error(text);
    const value = formatReservation({ subnet, publicIP, node: null, note: null, reservedBy: 'us', reservedAt: 'now' });
    return { key: reservationKey(prefix, subnet), value, revision: '3', createdRevision: '3', permanent: true };
  });
  return { api, reading: readReservations(entries, prefix) };
}

function assign(
  asked: readonly SubnetSeeker[],
  kept: ReturnType<typeof reserved>,
  nodes: readonly { readonly name: string; readonly subnet?: string }[] = [],
) {
  if (effective === null) throw new Error('no config');
  const { seekers, keptForOthers } = seekersOf(asked, nodes, kept);
  return assignSubnets(seekers, [], effective, prefix, version, keptForOthers).map((each) => ({
    subnet: each.subnet === null ? null : formatCidr(each.subnet),
    from: each.from,
    ttlSeconds: each.change?.kind === 'put' ? each.change.ttlSeconds : null,
    problem: each.problem?.code ?? null,
  }));
}

describe('subnets for nodes, with reservations', () => {
  it('gives a node its reserved subnet: on v3 for a day, on v2 for good', () => {
    expect(assign([node(21)], reserved('v3', ['172.7.50.0/24', '10.4.7.21']))).toEqual([
      { subnet: '172.7.50.0/24', from: 'reservation', ttlSeconds: 86_400, problem: null },
    ]);
    expect(assign([node(21)], reserved('v2', ['172.7.50.0/24', '10.4.7.21']))).toEqual([
      { subnet: '172.7.50.0/24', from: 'reservation', ttlSeconds: undefined, problem: null },
    ]);
  });

  it('gives a reserved subnet to nobody else, also not one that a node had before or that is free', () => {
    const kept = reserved('v3', ['172.7.1.0/24', '10.4.7.99'], ['172.7.2.0/24', '10.4.7.98']);
    expect(assign([{ ...node(21), previous: '172.7.2.0/24' }, node(22)], kept)).toMatchObject([
      { subnet: '172.7.3.0/24', from: 'free' },
      { subnet: '172.7.4.0/24', from: 'free' },
    ]);
  });

  it('keeps the subnet of a record that cannot be read', () => {
    const key = `${prefix}-netctl/reservations/172.7.1.0-24`;
    const entry = { key, value: Buffer.from('?'), revision: '1', createdRevision: '1', permanent: true };
    expect(assign([node(21)], { api: 'v3', reading: readReservations([entry], prefix) })).toMatchObject([
      { subnet: '172.7.2.0/24' },
    ]);
  });

  it('follows both when the inventory and the reservation say the same', () => {
    expect(assign([node(21, '172.7.50.0/24')], reserved('v3', ['172.7.50.0/24', '10.4.7.21']))).toMatchObject([
      { subnet: '172.7.50.0/24', from: 'inventory', problem: null },
    ]);
  });

  it.each([
    ['another subnet for the node', ['172.7.51.0/24', '10.4.7.21']],
    ['the subnet for another node', ['172.7.50.0/24', '10.4.7.99']],
    ['a range that holds the subnet for another node', ['172.7.48.0/20', '10.4.7.99']],
  ] as const)('follows neither when there is reserved %s', (_, pair) => {
    expect(assign([node(21, '172.7.50.0/24')], reserved('v3', pair))).toEqual([
      { subnet: null, from: 'inventory', ttlSeconds: null, problem: 'reservation-contradicts-inventory' },
    ]);
  });
});
