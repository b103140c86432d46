import { type LeaseReport, reportedLease } from '../check/lease-report';
import type { NetctlCommand } from './command';
import { type EvidenceOptions, judgeLeases } from './lease-evidence';
import type { NetworkReading, Session } from './session';

/** Looks whether the nodes of all leases live, for a report from which `subnets reclaim` can work. Changes nothing. */
export async function lookForOwners(
  command: NetctlCommand,
  session: Session,
  network: NetworkReading,
  options: EvidenceOptions,
): Promise<LeaseReport> {
  const { judged } = await judgeLeases(command, session, network, network.leases.leases, options);
  const entries = new Map(Array.from(network.snapshot.entries, (entry) => [entry.key, entry]));
  return {
    version: command.config.version,
    at: new Date().toISOString(),
    leases: judged.flatMap(({ look, judgement }) => {
      const entry = entries.get(look.lease.key);
      return entry === undefined ? [] : reportedLease(look, judgement, entry);
    }),
  };
}
