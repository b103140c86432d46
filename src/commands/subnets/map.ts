import * as Flags from '@oclif/core/flags';
import { NetctlCommand } from '../../lib/cli/command';
import { etcdFlags, flannelFlag, outputFlags, ownFlags } from '../../lib/cli/flags';
import { readWithReservations } from '../../lib/cli/reserve-scene';
import { noConfig, Session } from '../../lib/cli/session';
import { askTtls, ttlsWithoutAsking } from '../../lib/cli/subnet-reading';
import { InvalidInput, Refused } from '../../lib/errors';
import { cidrsOverlap, formatCidr, parseIpv4Cidr } from '../../lib/net/cidr';
import { readRange } from '../../lib/net/range-input';
import { mapLimit, type SubnetState, subnetStates, subnetStatesOf } from '../../lib/plan/subnet-map';
import { formatCount } from '../../lib/view/count';
import { renderSubnetMap } from '../../lib/view/subnet-map';
import { mapCountsView } from '../../lib/view/subnet-map-counts';

export default class SubnetsMap extends NetctlCommand {
  static override summary = 'Draws the address space: which subnets are used, free, reserved, expiring, out of range.';
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --within 10.1.64.0/18',
    '<%= config.bin %> <%= command.id %> -o json',
  ];
  static override flags = {
    ...ownFlags('subnets map', {
      within: Flags.string({ summary: 'Only this part of the network.', helpValue: 'CIDR' }),
      ttl: Flags.boolean({ summary: 'Ask which leases are about to expire; --no-ttl never does.', allowNo: true }),
    }),
    ...flannelFlag(),
    ...outputFlags(),
    ...etcdFlags(),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(SubnetsMap);
    const within = flags.within === undefined ? undefined : await readRange(flags.within, '--within');
    const session = await Session.open(this, flags);
    const { network, reservations } = await readWithReservations(this, session);
    const { config, leases } = network.leases;
    if (config === null) throw noConfig(network.prefix);
    if (network.effective === null) {
      throw new Refused({
        code: 'config-unusable',
        message: `flannel ${network.version.tag} does not take the config at ${config.key}, so there is no address space to draw`,
        next: ['See why: netctl network validate --live'],
      });
    }
    const whole = parseIpv4Cidr(network.effective.network ?? '');
    if (within !== undefined && whole !== undefined && !cidrsOverlap(whole, within)) {
      throw new InvalidInput({
        code: 'map-outside',
        message: `--within ${formatCidr(within)} lies outside the network, which is ${network.effective.network}`,
        next: ['Name a part of it, or leave --within out.'],
      });
    }
    const askAll = flags.ttl ?? leases.length <= ttlsWithoutAsking;
    const reserved = [
      ...(session.inventory?.nodes ?? []).flatMap(({ subnet }) => parseIpv4Cidr(subnet ?? '') ?? []),
      // What a record keeps that cannot be read is not free either.
      ...[...(reservations?.reservations ?? []), ...(reservations?.damaged ?? [])].flatMap(
        ({ subnet }) => subnet ?? [],
      ),
    ];
    const map = subnetStatesOf(network.effective, leases, {
      reserved,
      ...(within === undefined ? {} : { within }),
      ...(askAll ? { ttls: await askTtls(network, undefined) } : {}),
    });
    if (map === null) {
      if (!network.effective.enableIPv4) {
        throw new Refused({
          code: 'map-ipv4-only',
          message: 'the network has no IPv4 subnets, and those of IPv6 are too many to draw',
          next: ['List them: netctl subnets ls -o wide'],
        });
      }
      throw new InvalidInput({
        code: 'map-too-large',
        message: `the network has more than the ${formatCount(mapLimit)} subnets that can be drawn`,
        next: ['Draw a part of it: netctl subnets map --within CIDR'],
      });
    }
    const stateAt = (index: number): SubnetState => subnetStates[map.states[index] ?? 0] ?? 'free';
    const format = this.format(flags);
    if (format === 'table' || format === 'wide') {
      await this.write([
        await renderSubnetMap(
          {
            network: formatCidr(map.network),
            subnetLen: map.subnetLen,
            first: map.first,
            count: map.count,
            cells: stateAt,
          },
          this.screen,
        ),
      ]);
      if (!askAll) this.say(`Which of the ${formatCount(leases.length)} leases expire soon was not asked: --ttl asks.`);
      return;
    }
    const [value, view] = mapCountsView(map, stateAt, network.prefix, askAll);
    await this.printRecord(value, view, flags);
  }
}
