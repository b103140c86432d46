import type { EndpointStatus } from '../store/store';

/** Whether etcd is in a state in which its leases can be trusted. */
export interface EtcdCalm {
  /** Why nothing may be taken away now; null when all is well enough. One sentence. */
  readonly trouble: string | null;
  /** What a person should know all the same; one sentence each. */
  readonly warnings: readonly string[];
}

/**
 * Judges two looks at etcd, one before and one after the work of minutes: a leader that changed in between has set all TTLs back,
 * and may have let leases go.
 * @param later empty: there was one look only
 */
export function etcdCalm(earlier: readonly EndpointStatus[], later: readonly EndpointStatus[]): EtcdCalm {
  const now = later.length > 0 ? later : earlier;
  const up = now.filter(({ reachable }) => reachable);
  const down = now.filter(({ reachable }) => !reachable);
  const alarms = now.flatMap(({ endpoint, alarms: raised }) => raised.map((alarm) => `${alarm} (${endpoint})`));
  const leaderless = up.find(({ error }) => error !== undefined);
  const warnings = down.map(
    ({ endpoint, error }) => `${endpoint} does not answer${error === undefined ? '' : `: ${error}`}`,
  );
  const calm = (trouble: string | null): EtcdCalm => ({ trouble, warnings });
  if (up.length === 0) return calm('no endpoint of etcd answers');
  if (alarms.length > 0) return calm(`etcd has raised an alarm: ${[...new Set(alarms)].join(', ')}`);
  if (leaderless !== undefined) return calm(`${leaderless.endpoint}: ${leaderless.error ?? 'no leader'}`);
  if (down.length * 2 >= now.length && now.length > 1) {
    return calm(`only ${up.length} of ${now.length} endpoints of etcd answer`);
  }
  const leaders = new Set(up.flatMap(({ leaderId }) => leaderId ?? []));
  if (leaders.size > 1) return calm('the members of etcd do not agree who leads them');
  const [leader] = leaders;
  const before = earlier.find(({ reachable, leaderId }) => reachable && leaderId !== undefined)?.leaderId;
  if (leader !== undefined && before !== undefined && leader !== before) {
    return calm('etcd has elected another leader while this was looked at, which sets the time of every lease back');
  }
  return calm(null);
}
