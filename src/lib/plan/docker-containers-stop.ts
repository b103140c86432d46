import type { RunningContainer } from '../fact/docker-containers';
import type { HostChange, Undo } from './host-change';

/** The containers that run when Docker is to be restarted, and what becomes of them. */
export interface ContainersStop {
  /** Before the restart: with live-restore dockerd keeps the old bridge while a container runs. */
  readonly stop: HostChange;
  /** After it; null when nobody has to. */
  readonly start: HostChange | null;
  readonly undo: readonly Undo[];
}

/**
 * Stops containers by hand and has those come back that a restart of Docker would have brought back had it stopped them itself: Docker
 * starts `unless-stopped` no more once somebody stopped it (moby container/restartmanager, ShouldRestart), and `always` with the daemon only.
 * @param stops names
 * @param seconds that a restart of Docker may take
 */
export function stopContainers(
  stops: readonly string[],
  containers: readonly RunningContainer[],
  seconds: number,
): ContainersStop {
  const timeoutMs = seconds * 1000 + 30_000;
  const stop: HostChange = {
    kind: 'run',
    argv: ['docker', 'stop', '--', ...stops],
    timeoutMs,
    why: 'with live-restore dockerd keeps the old bridge while a container runs',
  };
  const start = (isToStart: (container: RunningContainer) => boolean, why: string): HostChange | null => {
    // `docker ps` names the newest first; one whose network or link another needs is older, and must run before that.
    const names = containers
      .filter((each) => stops.includes(each.name) && isToStart(each))
      .map(({ name }) => name)
      .toReversed();
    // A container that does not start is its own matter: Docker has come back.
    return names.length === 0
      ? null
      : { kind: 'run', argv: ['docker', 'start', '--', ...names], timeoutMs, undoesNothing: true, why };
  };
  // Cut off before the restart, or put back with a Docker that runs: no daemon starts for those with `always` either.
  const back = start(({ restartsWithDocker }) => restartsWithDocker, 'they ran before');
  return {
    stop,
    start: start(
      ({ restartPolicy }) => restartPolicy === 'unless-stopped',
      'Docker does not bring back by itself what was stopped by hand',
    ),
    undo: back === null ? [] : [{ of: stop, change: back, evenWhenStopped: true }],
  };
}

/** Those of the containers that stop which no restart of Docker brings back: for the person who approves. */
export function stayStopped(stops: readonly string[], containers: readonly RunningContainer[]): readonly string[] {
  return containers
    .filter(({ name, restartsWithDocker }) => stops.includes(name) && !restartsWithDocker)
    .map(({ name }) => name);
}
