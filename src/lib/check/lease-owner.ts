import { hasWrittenSubnet } from '../fact/has-written-subnet';
import type { LeaseOwnerSeen } from '../fact/lease-owner-facts';
import type { Process } from '../fact/processes';
import { writtenSubnet } from '../fact/subnet-env-file';
import { cidrContains, formatCidr, type Ipv4Cidr } from '../net/cidr';
import { readFlanneld } from '../net/flannel-flags';
import { cleanPrefix, defaultPrefix } from '../net/flannel-keys';
import { formatIpv4, parseIpv4 } from '../net/ipv4';
import type { Lease } from '../net/lease';

/**
 * What a machine that SSH reached has to do with a lease.
 *
 * `holds`: its flanneld works with it. `uses`: something of it is there, and flanneld does not run. `may-start`: nothing of it is
 * there, and flanneld would take it again at its next start. `gone`: the machine is the lease's, and nothing there has or will
 * have it. `other`: the machine is the lease's, and its flanneld holds another subnet. `not-its-machine`: the lease is of
 * another machine. `unclear`: what would tell is not known.
 */
export interface OwnerState {
  readonly kind: 'holds' | 'uses' | 'may-start' | 'gone' | 'other' | 'not-its-machine' | 'unclear';
  /** One clause for a person. */
  readonly why: string;
}

export interface OwnerQuestion {
  readonly prefix: string;
  /** What `leaseOwnerFacts` was asked with. */
  readonly subnetFile: string;
  /** All leases of the network. */
  readonly leases: readonly Lease[];
}

/** A flanneld that keeps its state in Kubernetes never looks at etcd: netctl has no business there. */
export function runsForKubernetes({ flanneld }: LeaseOwnerSeen): boolean {
  return (
    flanneld.known && flanneld.value.some((process) => setting(process, 'kube-subnet-mgr')?.toLowerCase() === 'true')
  );
}

/**
 * Judges one machine by any number of leases. Pure; whatever is not known makes it `unclear`, never `gone`.
 */
export function ownerJudge(seen: LeaseOwnerSeen, question: OwnerQuestion): (lease: Lease) => OwnerState {
  const { links, flanneld, subnetEnv } = seen;
  if (!links.known) return always(unclear(`its addresses are not known: ${links.why}`));
  if (!flanneld.known) return always(unclear(`what runs there is not known: ${flanneld.why}`));
  const mine = flanneld.value.filter((process) => isOfNetwork(process, question.prefix));
  const machine: Machine = {
    ...question,
    seen,
    addresses: links.value.flatMap(({ name, isLoopback, addresses }) =>
      addresses.flatMap((each) => (each.family === 4 ? [{ name, isLoopback, address: each.address }] : [])),
    ),
    // Which of two flannelds has a bridge is not known: any that runs keeps it.
    isRunning: flanneld.value.length > 0,
    isOurs: mine.length > 0,
    otherFile: mine.map((process) => setting(process, 'subnet-file')).find((file) => isOther(file, question)) ?? null,
    hasWritten: hasWrittenSubnet(flanneld, subnetEnv),
  };
  return (lease) => stateOf(lease, machine);
}

interface Machine extends OwnerQuestion {
  readonly seen: LeaseOwnerSeen;
  readonly addresses: readonly { readonly name: string; readonly isLoopback: boolean; readonly address: number }[];
  readonly isRunning: boolean;
  /** A flanneld of this network runs. */
  readonly isOurs: boolean;
  /** It writes its subnet to a file that was not asked. */
  readonly otherFile: string | null;
  readonly hasWritten: boolean;
}

function isOther(file: string | undefined, { subnetFile }: OwnerQuestion): boolean {
  return file !== undefined && file !== subnetFile;
}

function always(state: OwnerState): () => OwnerState {
  return () => state;
}

function stateOf(lease: Lease, machine: Machine): OwnerState {
  const { addresses, isRunning, isOurs, otherFile, hasWritten, subnetFile } = machine;
  const { subnetEnv } = machine.seen;
  const inside = addresses.find(({ address }) => cidrContains(lease.subnet, address));
  if (inside !== undefined) {
    return {
      kind: isRunning ? 'holds' : 'uses',
      why: `${inside.name} has ${formatIpv4(inside.address)} of it${isRunning ? ', and flanneld runs' : ''}`,
    };
  }
  const own = writtenSubnet(subnetEnv);
  const isSame = own !== null && isSubnet(own, lease.subnet);
  const publicIP = lease.publicIP === null ? undefined : parseIpv4(lease.publicIP);
  const isItsMachine = addresses.some(({ address, isLoopback }) => !isLoopback && address === publicIP);

  if (isOurs) {
    if (isSame) return { kind: 'holds', why: `flanneld runs, and ${subnetFile} names it` };
    if (otherFile !== null) return unclear(`flanneld runs and writes ${otherFile}, which was not asked`);
    if (!subnetEnv.known) return unclear(`which subnet its flanneld holds is not known: ${subnetEnv.why}`);
    if (!isItsMachine) return notItsMachine(lease);
    if (own === null || !hasWritten) {
      return { kind: 'may-start', why: 'flanneld runs and has no subnet yet: it takes the one of its public IP' };
    }
    const other = machine.leases.find((each) => isSubnet(each.subnet, own));
    const otherIP = other?.publicIP == null ? undefined : parseIpv4(other.publicIP);
    if (!addresses.some(({ address }) => address === otherIP)) {
      return unclear(`its flanneld works with ${formatCidr(own)}, which etcd does not say of this machine`);
    }
    return { kind: 'other', why: `its flanneld runs and holds ${formatCidr(own)}` };
  }

  // Also where the public IP is no address of the machine, as behind NAT.
  if (isSame) return { kind: 'uses', why: `flanneld does not run, and ${subnetFile} still names it` };
  if (!isItsMachine) return notItsMachine(lease);
  if (!subnetEnv.known) return unclear(`${subnetFile} could not be read: ${subnetEnv.why}`);
  const starter = whoStarts(machine.seen);
  if (starter.kind === 'unknown') return unclear(starter.why);
  if (starter.kind === 'somebody') return { kind: 'may-start', why: starter.why };
  return { kind: 'gone', why: 'flanneld is not there, and nothing on the machine has the subnet' };
}

function unclear(why: string): OwnerState {
  return { kind: 'unclear', why };
}

function notItsMachine({ publicIP }: Lease): OwnerState {
  return {
    kind: 'not-its-machine',
    why: `${publicIP ?? 'no public IP'} is not an address of this machine`,
  };
}

function isSubnet(a: Ipv4Cidr, b: Ipv4Cidr): boolean {
  return a.base === b.base && a.length === b.length;
}

function readingOf({ words, environment }: Process) {
  // A script's program is its interpreter: flanneld's own words come behind its path.
  const at = Math.max(
    0,
    words.slice(0, 3).findIndex((word) => /(^|\/)flanneld[^/]*$/.test(word)),
  );
  return readFlanneld(words.slice(at + 1), environment ?? {}, null);
}

/** The last value of a flag; undefined when it is not given, or cannot be seen. */
function setting(process: Process, name: string): string | undefined {
  return readingOf(process).settings.get(name)?.values.at(-1);
}

/** One whose variables we may not see, or whose flags we do not all know, may be of any network. */
function isOfNetwork(process: Process, prefix: string): boolean {
  const given = setting(process, 'etcd-prefix');
  if (given === undefined && (process.environment === null || readingOf(process).ends !== 'runs')) return true;
  return cleanPrefix(given ?? defaultPrefix) === cleanPrefix(prefix);
}

type Starter = { readonly kind: 'nobody' } | { readonly kind: 'somebody' | 'unknown'; readonly why: string };

/** Would flanneld come by itself, with the next boot or the next moment? */
function whoStarts({ units, supervisor }: LeaseOwnerSeen): Starter {
  if (!units.known) return { kind: 'unknown', why: `whether flanneld would start is not known: ${units.why}` };
  for (const unit of units.value.values()) {
    if (!unit.isFound || unit.loadState === 'masked') continue;
    if (unit.activeState !== 'inactive' && unit.activeState !== 'failed') {
      return { kind: 'somebody', why: `flanneld does not run, and ${unit.name} is ${unit.activeState}` };
    }
    if (unit.unitFileState !== 'disabled') {
      return { kind: 'somebody', why: `flanneld does not run, and ${unit.name} starts it at boot` };
    }
  }
  if (!supervisor.known) {
    return { kind: 'unknown', why: `whether supervisord would start flanneld is not known: ${supervisor.why}` };
  }
  const program = supervisor.value.programs.find(({ name }) => /flannel/.test(name));
  return program === undefined
    ? { kind: 'nobody' }
    : { kind: 'somebody', why: `supervisord has a program ${program.name}, now ${program.state}` };
}
