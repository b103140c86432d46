import * as Flags from '@oclif/core/flags';
import { ownFlags, severalArguments } from '../../lib/cli/flags';
import { leaseMemories } from '../../lib/cli/lease-memories';
import { lookAtReservations } from '../../lib/cli/reserve-scene';
import { Session } from '../../lib/cli/session';
import { requireSubnet } from '../../lib/cli/subnet-owner';
import { SubnetWorkCommand, subnetWorkFlags } from '../../lib/cli/subnet-work';
import { announce } from '../../lib/engine/announce';
import { execute } from '../../lib/engine/execute';
import { exitCodes, InvalidInput } from '../../lib/errors';
import { requireIpv4 } from '../../lib/net/cidr';
import { formatIpv4 } from '../../lib/net/ipv4';
import {
  isAskedFor,
  type LeaseMemory,
  losesRoutes,
  type MendWork,
  memoryOf,
  planAnnounce,
  planMend,
} from '../../lib/plan/mend';
import { isBlocked } from '../../lib/plan/subnet-work';

export default class SubnetsMend extends SubnetWorkCommand {
  static override summary = 'Puts right values back into leases that flanneld cannot read.';
  static override description =
    'Such as the text of the key, which etcdctl put KEY $(etcdctl get KEY) leaves behind. The right value comes from the past of the key in etcd; ' +
    'else its public IP is known from what netctl keeps, the inventory, or the node whose subnet.env names the subnet, and flanneld there writes the rest. ' +
    'With flannel from v0.21.3 one such key takes away the routes to all nodes. Therefore all leases are then written again as they are, which to ' +
    'every flanneld is a renewal: the routes come back, and nothing is restarted.';
  static override examples = [
    '<%= config.bin %> <%= command.id %> --dry-run',
    '<%= config.bin %> <%= command.id %> 10.5.1.0/24 --public-ip 192.168.0.7',
    '<%= config.bin %> <%= command.id %> --announce',
  ];
  static exitCodes = { 10: 'some could not be mended, the message says why' };
  static override args = { subnet: severalArguments({ description: 'Only these subnets; else all that need it.' }) };
  static override flags = {
    ...ownFlags('subnets mend', {
      'public-ip': Flags.string({ summary: 'Whose it is, when one subnet is named and you know.', helpValue: 'IP' }),
      announce: Flags.boolean({
        summary:
          'Write all leases again as they are, so that each flanneld sets its routes; when not said, after a mend that needs it.',
        allowNo: true,
      }),
    }),
    ...subnetWorkFlags('subnets mend'),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(SubnetsMend);
    const asked = (args.subnet ?? []).map(requireSubnet);
    const publicIP = flags['public-ip'];
    if (publicIP !== undefined && asked.length !== 1) {
      throw new InvalidInput({
        code: 'mend-what',
        message: '--public-ip says whose one subnet is, so one subnet has to be named',
        next: [`netctl subnets mend 10.5.1.0/24 --public-ip ${publicIP}`],
      });
    }
    const said = publicIP === undefined ? undefined : formatIpv4(requireIpv4(publicIP, '--public-ip'));
    const session = await Session.open(this, flags);
    const opened = await session.networkStore();
    let isAnnounced = false;
    // Nodes are asked once, however often it is planned.
    const remembered = new Set<string>();
    const known: LeaseMemory[] = [];
    const done = await this.work(
      opened,
      {
        doing: 'subnets mend',
        empty: 'Unchanged: flanneld can read the value of every lease.',
        isSingle: false,
        plan: async (): Promise<readonly MendWork[]> => {
          const { network, reservations, ...scene } = await lookAtReservations(session, opened);
          const unreadable = network.leases.unreadable.filter((each) => isAskedFor(each, asked));
          const news = unreadable.filter(({ key, revision }) => !remembered.has(`${key} ${revision}`));
          for (const { key, revision } of news) remembered.add(`${key} ${revision}`);
          known.push(...(await leaseMemories(this, network, session.inventory, news, reservations)));
          const memories =
            said === undefined ? known : [...known, ...unreadable.map(({ key }) => memoryOf(key, 'person', said))];
          const mended = planMend({ ...scene, reading: { ...network.leases, unreadable }, memories });
          const needsAnnounce = losesRoutes(network.version) && mended.some((work) => !isBlocked(work));
          if (isAnnounced || !(flags.announce ?? needsAnnounce)) return mended;
          return [...mended, planAnnounce(network.leases, network.effective, network.snapshot.entries)];
        },
        carryOut: async (work) => {
          if (work.isAnnouncement === true) {
            await announce(work, opened.store);
            isAnnounced = true;
          } else await execute({ title: work.subnet, changes: work.changes }, opened.store);
        },
      },
      flags,
    );
    if (done.items.some(({ state }) => state === 'blocked') && process.exitCode === undefined) {
      this.exitWith(exitCodes.problems);
    }
  }
}
