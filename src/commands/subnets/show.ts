import { checkLeases } from '../../lib/check/leases';
import { subnetRows } from '../../lib/check/subnet-rows';
import { NetctlCommand } from '../../lib/cli/command';
import { etcdFlags, flannelFlag, outputFlags, requiredArgument } from '../../lib/cli/flags';
import { Session } from '../../lib/cli/session';
import { askTtls } from '../../lib/cli/subnet-reading';
import { exitCodes } from '../../lib/errors';
import { findLeases } from '../../lib/net/subnet-query';
import { subnetView } from '../../lib/view/subnet';
import { subnetItem } from '../../lib/view/subnet-item';

export default class SubnetsShow extends NetctlCommand {
  static override summary = 'Shows who holds a subnet, found by the subnet, by any address in it, or by its node.';
  static override examples = [
    '<%= config.bin %> <%= command.id %> 172.7.21.0/24',
    '<%= config.bin %> <%= command.id %> 172.7.21.17',
    '<%= config.bin %> <%= command.id %> 10.4.7.21',
    '<%= config.bin %> <%= command.id %> hdss7-21 -o json',
  ];
  static exitCodes = { 10: 'nobody holds it' };
  static override args = {
    what: requiredArgument({
      description: 'SUBNET, an address in it, the public IP of a node, or its name in the inventory.',
    }),
  };
  static override flags = { ...flannelFlag(), ...outputFlags(), ...etcdFlags() };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(SubnetsShow);
    const session = await Session.open(this, flags);
    const nodes = session.inventory?.nodes ?? [];
    const network = await session.network();
    const found = findLeases(args.what, network.leases.leases, nodes);
    const ttls = await askTtls(network, new Set(found.map(({ lease }) => lease.key)));
    const problems = checkLeases({
      api: network.api,
      prefix: network.prefix,
      version: network.version,
      reading: network.leases,
      effective: network.effective,
      nodes,
    });
    const leases = found.map(({ lease }) => lease);
    const rows = subnetRows(leases, nodes, problems, ttls);
    const keys = new Set(leases.map(({ key }) => key));
    const value = {
      query: args.what,
      prefix: network.prefix,
      api: network.api,
      revision: network.snapshot.revision,
      items: rows.map((row, index) => ({
        ...subnetItem(row),
        foundBy: found[index]?.by ?? 'subnet',
        backendData: leases[index]?.backendData ?? null,
      })),
      problems: problems.filter((problem) => problem.keys.some((key) => keys.has(key))),
    };
    await this.printRecord(value, subnetView, flags);
    await this.printProblems(value.problems, flags);
    if (found.length === 0) this.exitWith(exitCodes.problems);
  }
}
