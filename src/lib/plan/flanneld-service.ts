import type { LeaseOwnerSeen } from '../fact/lease-owner-facts';
import type { HostChange } from './host-change';

/** How flanneld on a machine is stopped and started again, without anything else. */
export type FlanneldService =
  /** `name` of what would start it; null when nothing would. With which settings is not known of one that does not run. */
  | { readonly kind: 'stopped'; readonly name: string | null }
  | {
      readonly kind: 'runs';
      /** `flanneld.service`, or `flanneld in supervisord`. */
      readonly name: string;
      readonly stop: HostChange;
      readonly start: HostChange;
    }
  /** It runs, and netctl must not stop it. */
  | { readonly kind: 'not-ours-to-stop'; readonly why: string }
  | { readonly kind: 'unknown'; readonly why: string };

/** systemd gives a start 90 s; flanneld waits for etcd as long as it takes. */
const timeoutMs = 100_000;

const stops = 'flanneld stops; its routes and devices stay, containers are not touched';
const starts = 'flanneld takes the lease that has its public IP';

function run(why: string, ...argv: readonly [string, ...string[]]): HostChange {
  return { kind: 'run', argv, timeoutMs, why };
}

export function flanneldService({ flanneld, units, supervisor }: LeaseOwnerSeen): FlanneldService {
  if (!flanneld.known) return { kind: 'unknown', why: `what runs there is not known: ${flanneld.why}` };
  if (!units.known) return { kind: 'unknown', why: `its units are not known: ${units.why}` };
  const pids = new Set(flanneld.value.map(({ pid }) => pid));
  const all = Array.from(units.value.values());
  const unit = all.find(
    ({ mainPid, activeState }) =>
      (mainPid !== null && pids.has(mainPid)) || activeState === 'activating' || activeState === 'reloading',
  );
  if (unit !== undefined) {
    const dragged = [...unit.requiredBy, ...unit.boundBy, ...unit.consistsOf].filter(
      (name) => !name.endsWith('.target'),
    );
    if (dragged.length > 0) {
      return {
        kind: 'not-ours-to-stop',
        why: `with ${unit.name} systemd would stop ${[...new Set(dragged)].join(', ')} as well`,
      };
    }
    return {
      kind: 'runs',
      name: unit.name,
      stop: run(stops, 'systemctl', 'stop', unit.name),
      start: run(starts, 'systemctl', 'start', unit.name),
    };
  }
  const program = supervisor.known
    ? supervisor.value.programs.find(
        ({ name, state, pid }) =>
          /flannel/.test(name) &&
          ((pid !== null && pids.has(pid)) || ['STARTING', 'BACKOFF', 'RUNNING'].includes(state)),
      )
    : undefined;
  if (program !== undefined) {
    return {
      kind: 'runs',
      name: `${program.name} in supervisord`,
      stop: run(stops, 'supervisorctl', 'stop', program.name),
      start: run(starts, 'supervisorctl', 'start', program.name),
    };
  }
  if (flanneld.value.length === 0) {
    const enabled = all.find(({ isFound, unitFileState }) => isFound && unitFileState === 'enabled');
    const known = supervisor.known ? supervisor.value.programs.find(({ name }) => /flannel/.test(name)) : undefined;
    const name = enabled?.name ?? (known === undefined ? null : `${known.name} in supervisord`);
    return { kind: 'stopped', name };
  }
  const [process] = flanneld.value;
  return {
    kind: 'not-ours-to-stop',
    why: `flanneld runs there (process ${process?.pid ?? '?'}), and neither systemd nor supervisord has started it`,
  };
}
