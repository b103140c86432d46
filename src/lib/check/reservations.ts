import { formatCidr } from '../net/cidr';
import type { Problem } from '../net/problem';
import { type ReservationScene, reservationJudge } from '../plan/reservation-state';
import { stateProblems } from '../plan/reserve';
import type { Api } from '../store/store';

/** As `LeaseProblem` of the leases. */
interface ReservationProblem extends Problem {
  readonly subject: string;
  readonly keys: readonly string[];
}

/** Reservations that are not what they should be. Nothing when there are none. */
export function checkReservations(scene: ReservationScene & { readonly api: Api }): readonly ReservationProblem[] {
  const { reservations, damaged } = scene.reservations;
  const judge = reservationJudge(scene);
  const found = reservations.flatMap((reservation): readonly ReservationProblem[] => {
    const text = formatCidr(reservation.subnet);
    const state = judge(reservation);
    const keys = 'lease' in state ? [state.lease.key] : [];
    const told = stateProblems(reservation, state).map((each) => ({ ...each, subject: text, keys }));
    const warn = (code: string, message: string): ReservationProblem => ({
      code,
      severity: 'warning',
      path: text,
      subject: text,
      message,
      suggestion: 'netctl subnets reserve --enforce',
      keys,
    });
    if (state.kind === 'open') {
      return [
        warn(
          'reservation-not-held',
          `${text} is kept for ${reservation.publicIP}, but there is no lease for it: any other node may be given it`,
        ),
      ];
    }
    if (state.kind === 'held' && scene.api === 'v2' && !state.lease.permanent) {
      return [
        warn(
          'reservation-expires',
          `${text} is kept for ${reservation.publicIP}, but its key has a time to live: a day after that node is gone it is free`,
        ),
      ];
    }
    return told;
  });
  const unread = damaged.map(
    ({ key, reason, subnet }): ReservationProblem => ({
      code: 'reservation-damaged',
      severity: 'error',
      path: key,
      subject: key,
      message: `${key} is among the reservations and cannot be read: ${reason}`,
      suggestion: subnet === null ? null : `netctl subnets unreserve ${formatCidr(subnet)}`,
      keys: [],
    }),
  );
  return [...found, ...unread];
}
