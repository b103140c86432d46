import { cidrsOverlap, formatCidr, type Ipv4Cidr, parseIpv4Cidr } from '../net/cidr';
import { parseIpv4 } from '../net/ipv4';
import type { Lease } from '../net/lease';
import { leaseKey } from '../net/lease-key';
import { nodesByPublicIP } from '../net/node-ref';
import type { Problem } from '../net/problem';
import { whyNoPublicIP } from '../net/public-ip';
import { formatReservation, type Reservation, reservationKey, type StoredReservation } from '../net/reservation';
import { shellWord } from '../net/shell-word';
import type { Api } from '../store/store';
import type { Change } from './change';
import { isSame, type ReservationScene, type ReservationState, reservationJudge } from './reservation-state';
import type { SubnetWork } from './subnet-work';

/** What a reservation is planned from. */
export interface ReserveScene extends ReservationScene {
  readonly api: Api;
  /** The bytes of leases by key; of those that may be written again. */
  readonly values: ReadonlyMap<string, Uint8Array>;
  /** Remaining seconds by key. */
  readonly ttls: ReadonlyMap<string, number>;
}

/** flanneld's own: a lease that nobody took up in a day is free again. */
const leaseSeconds = 86_400;
/** Held leases with less than this are given a day again, so that looking twice a day keeps them. */
const renewBelowSeconds = leaseSeconds / 2;

/** One more reservation, or the same with another note, and the lease that makes flanneld heed it. */
export function planReserve(asked: Reservation, scene: ReserveScene): SubnetWork {
  const { subnet, publicIP } = asked;
  const known = scene.reservations.reservations.find((each) => isSame(each.subnet, subnet));
  // What is not said now stays as it was said before.
  const wish = { ...asked, node: asked.node ?? known?.node ?? null, note: asked.note ?? known?.note ?? null };
  const work = { subnet: formatCidr(subnet), publicIP, node: nodeOf(publicIP, scene) ?? wish.node };
  const refuse = (problem: Problem): SubnetWork => ({ ...work, changes: [], problems: [problem] });

  const damaged = scene.reservations.damaged.find((each) => each.subnet !== null && cidrsOverlap(each.subnet, subnet));
  if (damaged !== undefined) return refuse(damagedProblem(damaged));
  if (known !== undefined && known.publicIP !== publicIP) return refuse(reservedProblem(known, publicIP));
  const network = scene.effective?.network == null ? undefined : parseIpv4Cidr(scene.effective.network);
  const why = whyNoPublicIP(parseIpv4(publicIP) ?? 0, network);
  if (why !== undefined) return refuse(badPublicIP(publicIP, why));

  const state = reservationJudge(scene)(wish);
  const problems = stateProblems(wish, state);
  if (problems.some(({ severity }) => severity === 'error')) return { ...work, changes: [], problems };
  const isRecorded = known !== undefined && known.note === wish.note && known.node === wish.node;
  const record: readonly Change[] = isRecorded
    ? []
    : [
        {
          kind: 'put',
          key: reservationKey(scene.prefix, subnet),
          value: formatReservation(wish),
          expected: known?.revision ?? 'absent',
          why: `${formatCidr(subnet)} is kept for ${publicIP}`,
        },
      ];
  // The lease first: when somebody takes the subnet in this moment, nothing is kept for anybody.
  return { ...work, changes: [...leaseChanges(wish, state, scene), ...record], problems };
}

/** Every reservation as it should be: lost pre-assignments are made again, those that run out are given another day. */
export function planEnforce(scene: ReserveScene): readonly SubnetWork[] {
  const judge = reservationJudge(scene);
  const kept = scene.reservations.reservations.map((reservation): SubnetWork => {
    const state = judge(reservation);
    return {
      subnet: formatCidr(reservation.subnet),
      publicIP: reservation.publicIP,
      node: nodeOf(reservation.publicIP, scene) ?? reservation.node,
      changes: leaseChanges(reservation, state, scene),
      problems: stateProblems(reservation, state),
    };
  });
  const damaged = scene.reservations.damaged.map(
    (each): SubnetWork => ({
      subnet: each.subnet === null ? each.key : formatCidr(each.subnet),
      publicIP: null,
      node: null,
      changes: [],
      problems: [damagedProblem(each)],
    }),
  );
  return [...kept, ...damaged];
}

/**
 * The reservation goes, the lease stays: its node goes on with it. On v2 the lease gets a time to live again, so that it ends with
 * its node; the record goes last, and whoever was cut off in between runs the same again.
 * @param what a subnet, a public IP, the name of a node, or the key of a record that cannot be read; nothing is returned when
 * nothing is kept for it
 */
export function planUnreserve(what: string, scene: ReserveScene): readonly SubnetWork[] {
  const text = what.trim().replace(/-(\d{1,2})$/, '/$1');
  const wanted = scene.reservations.reservations.filter(
    ({ subnet, publicIP, node }) =>
      formatCidr(subnet) === text || publicIP === what || (nodeOf(publicIP, scene) ?? node) === what,
  );
  const damaged = scene.reservations.damaged.filter(
    ({ key, subnet }) => key === what || (subnet !== null && formatCidr(subnet) === text),
  );
  return [
    ...wanted.map((reservation) => unreserve(reservation, scene)),
    ...damaged.map(
      ({ key, revision, reason }): SubnetWork => ({
        subnet: key === what ? key : text,
        publicIP: null,
        node: null,
        changes: [{ kind: 'delete', key, expected: revision, why: `it cannot be read: ${reason}` }],
        problems: [],
      }),
    ),
  ];
}

function unreserve(reservation: StoredReservation, scene: ReserveScene): SubnetWork {
  const { subnet, publicIP, key, revision } = reservation;
  const lease = scene.reading.leases.find((each) => each.key === leaseKey(scene.prefix, subnet));
  const value = lease === undefined ? undefined : scene.values.get(lease.key);
  const changes: Change[] = [];
  if (scene.api === 'v2' && lease?.permanent === true && lease.publicIP === publicIP && value !== undefined) {
    changes.push({
      kind: 'put',
      key: lease.key,
      value,
      expected: lease.revision,
      ttlSeconds: leaseSeconds,
      why: 'an ordinary lease again: its node renews it, and a day after it is gone the subnet is free',
    });
  }
  changes.push({
    kind: 'delete',
    key,
    expected: revision,
    why: `${formatCidr(subnet)} is no longer kept for ${publicIP}`,
  });
  return {
    subnet: formatCidr(subnet),
    publicIP,
    node: nodeOf(publicIP, scene) ?? reservation.node,
    changes,
    problems: [],
  };
}

function nodeOf(publicIP: string, { nodes }: ReservationScene): string | null {
  return nodesByPublicIP(nodes).get(publicIP)?.name ?? null;
}

function leaseChanges(
  { subnet, publicIP }: Reservation,
  state: ReservationState,
  { api, prefix, values, ttls }: ReserveScene,
): readonly Change[] {
  if (state.kind === 'open') {
    return [preAssign(leaseKey(prefix, subnet), publicIP, api)];
  }
  if (state.kind !== 'held') return [];
  const { lease } = state;
  const value = values.get(lease.key);
  if (lease.permanent || value === undefined) return [];
  const again = { kind: 'put', key: lease.key, value, expected: lease.revision } as const;
  if (api === 'v2') return [{ ...again, why: 'without a time to live flanneld leaves it as it is, for good' }];
  const left = ttls.get(lease.key);
  if (left === undefined || left >= renewBelowSeconds) return [];
  return [
    { ...again, ttlSeconds: leaseSeconds, why: 'the same value with a day to live: its node has not renewed it' },
  ];
}

/**
 * A lease before its flanneld has come: it finds it by its public IP. On v3 with a time to live, as flanneld itself has it; a key
 * without one becomes such a lease anyway (v0.18.0 and later).
 */
function preAssign(key: string, publicIP: string, api: Api): Change {
  return {
    kind: 'put',
    key,
    value: Buffer.from(JSON.stringify({ PublicIP: publicIP })),
    expected: 'absent',
    ...(api === 'v2' ? {} : { ttlSeconds: leaseSeconds }),
    why: `nobody else can take it, and flanneld of ${publicIP} takes it when it starts`,
  };
}

// ---- what is wrong ----

function damagedProblem({
  key,
  reason,
  subnet,
}: {
  readonly key: string;
  readonly reason: string;
  readonly subnet: Ipv4Cidr | null;
}): Problem {
  return {
    code: 'reservation-damaged',
    severity: 'error',
    path: key,
    message: `${key} is among the reservations and cannot be read: ${reason}`,
    suggestion: `netctl subnets unreserve ${subnet === null ? shellWord(key) : formatCidr(subnet)}, then reserve it again`,
  };
}

function reservedProblem({ subnet, publicIP, reservedBy, reservedAt }: StoredReservation, wanted: string): Problem {
  return {
    code: 'reservation-clash',
    severity: 'error',
    path: formatCidr(subnet),
    message: `${formatCidr(subnet)} is reserved for ${publicIP}, not for ${wanted} (by ${reservedBy}, ${reservedAt})`,
    suggestion: `netctl subnets unreserve ${formatCidr(subnet)}`,
  };
}

function badPublicIP(publicIP: string, why: string): Problem {
  return {
    code: 'bad-public-ip',
    severity: 'error',
    path: publicIP,
    message: `${publicIP} cannot be the public IP of a node: ${why}`,
    suggestion: null,
  };
}

/** What is wrong with a reservation, in words; nothing when its node has it. */
export function stateProblems({ subnet, publicIP }: Reservation, state: ReservationState): readonly Problem[] {
  const text = formatCidr(subnet);
  const say = (
    code: string,
    severity: Problem['severity'],
    message: string,
    suggestion: string | null,
  ): readonly Problem[] => [{ code, severity, path: text, message, suggestion }];
  switch (state.kind) {
    case 'held':
    case 'open':
      return [];
    case 'elsewhere':
      return say(
        'reservation-elsewhere',
        'warning',
        `${text} is kept for ${publicIP}, which holds ${state.lease.subnetText}: at its next start flanneld keeps that one, and until then nothing but netctl keeps ${text} free`,
        `To move it, its containers get new addresses: netctl subnets release NODE (of ${publicIP}), netctl subnets reserve --enforce, then start flanneld and restart Docker there`,
      );
    case 'taken':
      return say(
        'reservation-taken',
        'error',
        `${text} is kept for ${publicIP}, but ${holder(state.lease)} has ${state.lease.subnetText}`,
        `netctl subnets show ${state.lease.subnetText} says who; of a node whose address has changed: netctl subnets rehome ${text} --to ${publicIP}`,
      );
    case 'unreadable':
      return say(
        'reservation-unreadable',
        'error',
        `${text} is kept for ${publicIP}, but flanneld cannot read the value of ${state.key}`,
        `netctl subnets mend ${text}`,
      );
    case 'misfit':
      return say(
        'reservation-misfit',
        'error',
        `flanneld would not take ${text} for ${publicIP}: ${misfitText[state.misfit]}`,
        'netctl network show tells the range and the length',
      );
    case 'clash':
      return say(
        'reservation-clash',
        'error',
        state.by === 'range'
          ? `${text} is not apart from ${formatCidr(state.other.subnet)}, which is reserved for ${state.other.publicIP}`
          : `${publicIP} has ${formatCidr(state.other.subnet)} reserved already: a node has one subnet`,
        `netctl subnets unreserve ${formatCidr(state.other.subnet)}`,
      );
    case 'inventory':
      return say(
        'reservation-contradicts-inventory',
        'error',
        state.isOwner
          ? `${text} is not the subnet of ${state.node} (${publicIP}): the inventory gives it ${state.subnet}`
          : `${text} is not for ${publicIP}: the inventory gives ${state.node} ${state.subnet}`,
        'Correct the subnet of that node in netctl.yaml, or unreserve this one',
      );
    case 'no-config':
      return say(
        'reservation-no-config',
        'error',
        `whether flanneld would take ${text} is not known: the network has no config that it accepts`,
        'netctl network validate --live',
      );
    default:
      return state satisfies never;
  }
}

const misfitText: Readonly<Record<Extract<ReservationState, { kind: 'misfit' }>['misfit'], string>> = {
  'outside-network': 'it does not lie in the network',
  'out-of-range': 'it lies outside SubnetMin to SubnetMax',
  'wrong-length': 'its length is not SubnetLen',
  'dual-stack-mismatch': 'the network has IPv6 as well',
  'dual-stack':
    'with IPv6 on, flanneld keeps both ranges in one key of its own making, so nothing can be made for it beforehand',
};

function holder(lease: Lease): string {
  return lease.publicIP ?? 'somebody without a public IP';
}
