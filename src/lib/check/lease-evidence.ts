import type { Lease } from '../net/lease';
import type { OwnerState } from './lease-owner';

/** What was found out about a lease, for the question whether its node is gone. Plain data; each is shown to the person. */
export interface LeaseLook {
  readonly lease: Lease;
  /** Name of its node; null when the inventory has none with this public IP. */
  readonly node: string | null;
  /**
   * `may-have-it`: no node there is known to have it, and some could not be asked which addresses they have. `none`: there is no
   * inventory, or it has no nodes, so that it says nothing of anybody.
   */
  readonly inventory: 'has-it' | 'may-have-it' | 'lacks-it' | 'none';
  /** With `may-have-it`: names of those that it may be. */
  readonly mayBeOf: readonly string[];
  /** Seconds until it expires; null when it does not, or when etcd did not say. */
  readonly ttlSeconds: number | null;
  readonly owner:
    | { readonly kind: 'seen'; readonly state: OwnerState }
    | { readonly kind: 'unreachable'; readonly why: string }
    | { readonly kind: 'not-asked' };
  /** Other machines that were looked at and have something of this subnet. */
  readonly elsewhere: readonly { readonly node: string; readonly why: string }[];
  /** Does the machine answer, by ICMP or by ARP? */
  readonly publicIP: Probe;
  /** Do the addresses that flanneld and Docker have in the subnet answer over the overlay? */
  readonly overlay: Probe;
  /** Nodes by whose table of connections packets came from the subnet; null when none could tell. */
  readonly traffic: { readonly moving: readonly string[]; readonly still: readonly string[] } | null;
  /** Who keeps the subnet for whom; null when nobody does. */
  readonly reservation: string | null;
}

/** One question put from several places. */
export interface Probe {
  /** From where it was asked and answered. */
  readonly answered: readonly string[];
  /** From where it was asked and there was silence, and others were heard: this silence says something. */
  readonly silent: readonly string[];
  /** Why nothing was learnt, when both are empty. */
  readonly why: string;
}

export type EvidenceName =
  | 'ttl'
  | 'inventory'
  | 'flanneld'
  | 'elsewhere'
  | 'public-ip'
  | 'overlay'
  | 'traffic'
  | 'reservation';

export interface Evidence {
  readonly name: EvidenceName;
  /** `gone`: speaks for the node being gone; `alive`: against; `unknown`: could not be found out, or says nothing. */
  readonly speaks: 'gone' | 'alive' | 'unknown';
  readonly text: string;
}

/**
 * `proven-gone`: the lease may be reclaimed. `alive`: something lives there. `kept`: it is to stay, whoever lives.
 * `not-proven`: all the rest, a node that merely does not answer above all.
 */
export type LeaseVerdict = 'proven-gone' | 'not-proven' | 'alive' | 'kept';

export interface LeaseJudgement {
  readonly verdict: LeaseVerdict;
  /** Which evidence decided it: a proof, what blocks, or what is missing for a proof. One sentence. */
  readonly why: string;
  readonly evidence: readonly Evidence[];
}

export interface JudgeOptions {
  /** flanneld's `--subnet-lease-renew-margin`, in seconds. */
  readonly renewMarginSeconds: number;
}

/** flanneld asks for so much (flannel-spec 3.4); a lease with nearly all of it left was written a moment ago. */
const grantedSeconds = 86_400;
/** Who renewed within half an hour may be in the middle of a restart. */
const recentSeconds = 1800;
/** A renewal may be late by so much: flanneld tries again each minute. */
const slackSeconds = 300;

/**
 * Weighs the evidence. Pure.
 *
 * Proof is one of three. Its own machine was reached by SSH, and there flanneld holds another subnet, or is gone and the lease was
 * not written just now: for a node that is being set up it is made before flanneld is there. Or: its flanneld has not renewed
 * it for longer than a living one ever waits. Or: a person took the node out of the inventory, and no node there that could
 * not be asked may be the one. The last two count only when silence was heard as well, from a place that hears others, and
 * nothing speaks against it. A host that does not answer proves nothing by itself.
 */
export function judgeLease(look: LeaseLook, options: JudgeOptions): LeaseJudgement {
  const ttl = ttlEvidence(look, options.renewMarginSeconds);
  const owner = ownerEvidence(look);
  const { publicIP, overlay } = look;
  const evidence: readonly Evidence[] = [
    ttl,
    inventoryEvidence(look),
    owner,
    ...look.elsewhere.map(
      ({ node, why }): Evidence => ({ name: 'elsewhere', speaks: 'alive', text: `on ${node}: ${why}` }),
    ),
    probeEvidence('public-ip', publicIP, look.lease.publicIP ?? 'its public IP'),
    probeEvidence('overlay', overlay, 'its address in the overlay'),
    trafficEvidence(look),
    ...(look.reservation === null
      ? []
      : [{ name: 'reservation', speaks: 'alive', text: look.reservation } satisfies Evidence]),
  ];
  const judged = (verdict: LeaseVerdict, why: string): LeaseJudgement => ({ verdict, why, evidence });

  if (look.reservation !== null) return judged('kept', look.reservation);
  if (look.lease.permanent) return judged('kept', 'it does not expire: somebody made it to stay');

  const isProvenBySsh = owner.speaks === 'gone';
  // A machine that SSH found without flanneld answers pings as before.
  const isGone = look.owner.kind === 'seen' && look.owner.state.kind === 'gone';
  const isOutdone = (name: EvidenceName): boolean =>
    isProvenBySsh && (name === 'public-ip' || (name === 'ttl' && !isGone));
  const blocking = evidence.filter(
    ({ name, speaks }) => speaks === 'alive' && name !== 'inventory' && !isOutdone(name),
  );
  const life = blocking.find((each) => showsLife(each, look.owner));
  if (life !== undefined) return judged('alive', life.text);
  const [doubt] = blocking;
  if (doubt !== undefined) {
    return judged('not-proven', look.owner.kind === 'seen' && !isProvenBySsh ? owner.text : doubt.text);
  }
  if (isProvenBySsh) return judged('proven-gone', owner.text);

  const isSilent = publicIP.silent.length > 0 && overlay.silent.length > 0;
  if (ttl.speaks === 'gone') {
    if (publicIP.silent.length > 0 || overlay.silent.length > 0) return judged('proven-gone', ttl.text);
    return judged('not-proven', `${ttl.text}; but nobody could listen whether it still answers`);
  }
  if (look.inventory === 'lacks-it') {
    if (look.ttlSeconds === null) return judged('not-proven', ttl.text);
    if (isSilent) return judged('proven-gone', 'no node of the inventory has its public IP, and nothing there answers');
    return judged(
      'not-proven',
      `no node of the inventory has its public IP, but ${publicIP.silent.length > 0 ? `the overlay could not be asked: ${overlay.why}` : `it could not be asked whether it answers: ${publicIP.why}`}`,
    );
  }
  return judged('not-proven', notProvenBecause(look));
}

/** Or only leaves it possible: a flanneld that may start, a machine that answers pings and was looked at, a recent write. */
function showsLife({ name }: Evidence, owner: LeaseLook['owner']): boolean {
  if (name === 'ttl') return false;
  if (owner.kind !== 'seen') return true;
  return name === 'flanneld' ? owner.state.kind !== 'may-start' : name !== 'public-ip';
}

function notProvenBecause({ owner, inventory, mayBeOf }: LeaseLook): string {
  switch (owner.kind) {
    case 'unreachable':
      return 'SSH did not reach its node, and a node that does not answer may still run';
    case 'seen':
      return owner.state.why;
    case 'not-asked':
      if (inventory === 'may-have-it') return mayBe(mayBeOf);
      return inventory === 'none'
        ? 'there is no inventory, so nothing says whose it was'
        : 'nothing says that its node is gone';
    default:
      return owner satisfies never;
  }
}

function mayBe(nodes: readonly string[]): string {
  return `it may be of ${listed(nodes)}, which could not be asked`;
}

function ttlEvidence({ lease, ttlSeconds, owner, node }: LeaseLook, marginSeconds: number): Evidence {
  const name = 'ttl';
  if (lease.permanent) return { name, speaks: 'unknown', text: 'it does not expire' };
  if (ttlSeconds === null) return { name, speaks: 'unknown', text: 'etcd did not say when it expires' };
  const left = durationText(ttlSeconds);
  if (ttlSeconds < marginSeconds - slackSeconds) {
    return {
      name,
      speaks: 'gone',
      text: `it expires in ${left}: its flanneld should have renewed it at ${durationText(marginSeconds)} and did not`,
    };
  }
  // An election sets all TTLs back to the full time: so much left proves no life, but there is no hurry either.
  if (ttlSeconds > grantedSeconds - recentSeconds && ttlSeconds <= grantedSeconds) {
    if (owner.kind === 'seen' && owner.state.kind === 'gone') {
      const ago = grantedSeconds - ttlSeconds;
      return {
        name,
        speaks: 'alive',
        text: `it was written ${durationText(ago)} ago, or etcd elected a leader: its node may be being set up or booting. Wait ${durationText(recentSeconds - ago)}; or, when you know that it leaves: netctl subnets release ${node ?? 'NODE'}`,
      };
    }
    return {
      name,
      speaks: 'alive',
      text: `it expires in ${left}: it was written less than half an hour ago, or etcd elected a leader`,
    };
  }
  return { name, speaks: 'unknown', text: `it expires in ${left}, as that of a living node would` };
}

function inventoryEvidence({ node, inventory, mayBeOf }: LeaseLook): Evidence {
  const name = 'inventory';
  switch (inventory) {
    case 'has-it':
      return { name, speaks: 'alive', text: `it is the lease of ${node ?? 'a node'} in the inventory` };
    case 'may-have-it':
      return {
        name,
        speaks: 'unknown',
        text: `no node of the inventory is known to have its public IP, but ${mayBe(mayBeOf)}`,
      };
    case 'lacks-it':
      return { name, speaks: 'gone', text: 'no node of the inventory has its public IP' };
    case 'none':
      return { name, speaks: 'unknown', text: 'there is no inventory with nodes' };
    default:
      return inventory satisfies never;
  }
}

function ownerEvidence({ owner, node }: LeaseLook): Evidence {
  const name = 'flanneld';
  const where = node === null ? '' : `on ${node}: `;
  switch (owner.kind) {
    case 'not-asked':
      return { name, speaks: 'unknown', text: 'no node of the inventory could be asked' };
    case 'unreachable':
      return { name, speaks: 'unknown', text: `${where}SSH does not reach it: ${owner.why}` };
    case 'seen':
      return { name, speaks: ownerSpeaks[owner.state.kind], text: `${where}${owner.state.why}` };
    default:
      return owner satisfies never;
  }
}

const ownerSpeaks: Readonly<Record<OwnerState['kind'], Evidence['speaks']>> = {
  holds: 'alive',
  uses: 'alive',
  'may-start': 'alive',
  gone: 'gone',
  other: 'gone',
  'not-its-machine': 'unknown',
  unclear: 'unknown',
};

function probeEvidence(name: 'public-ip' | 'overlay', probe: Probe, what: string): Evidence {
  if (probe.answered.length > 0) {
    return { name, speaks: 'alive', text: `${what} answers ${listed(probe.answered)}` };
  }
  if (probe.silent.length > 0) {
    return { name, speaks: 'gone', text: `${what} does not answer ${listed(probe.silent)}, which others do` };
  }
  return { name, speaks: 'unknown', text: `${what}: ${probe.why}` };
}

function trafficEvidence({ traffic }: LeaseLook): Evidence {
  const name = 'traffic';
  if (traffic === null) return { name, speaks: 'unknown', text: 'no node could tell whether packets come from it' };
  if (traffic.moving.length > 0) {
    return { name, speaks: 'alive', text: `packets come from it to ${listed(traffic.moving)}` };
  }
  return { name, speaks: 'gone', text: `no packet came from it to ${listed(traffic.still)}` };
}

function listed(names: readonly string[]): string {
  return names.length <= 3 ? names.join(', ') : `${names.slice(0, 3).join(', ')} and ${names.length - 3} more`;
}

function durationText(seconds: number): string {
  if (seconds < 120) return `${Math.floor(seconds)} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}
