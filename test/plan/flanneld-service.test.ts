import { describe, expect, it } from 'vitest';
import { known, unknown } from '../../src/lib/fact/fact';
import type { LeaseOwnerSeen } from '../../src/lib/fact/lease-owner-facts';
import type { Process } from '../../src/lib/fact/processes';
import type { Supervisor } from '../../src/lib/fact/supervisor';
import { type Unit, units } from '../../src/lib/fact/units';
import { flanneldService } from '../../src/lib/plan/flanneld-service';

const encoder = new TextEncoder();

/** As systemctl show prints it. */
function unit(name: string, lines: readonly string[]): Unit {
  const stdout = encoder.encode(`Id=${name}\nLoadState=loaded\n${lines.join('\n')}\n`);
  const read = units([name]).parse({ code: 0, stdout, stderr: encoder.encode('') });
  const found = read.known ? read.value.get(name) : undefined;
  if (found === undefined) throw new Error('no unit');
  return found;
}

const process: Process = {
  pid: 77,
  uid: 0,
  program: '/opt/flannel/flanneld',
  isReplaced: false,
  words: ['/opt/flannel/flanneld'],
  environment: new Map(),
  startedAtSeconds: 1,
  isInHostsNamespace: true,
};
const noSupervisor: Supervisor = {
  isInstalled: false,
  isRunning: false,
  configPath: null,
  programFiles: [],
  programs: [],
};
const running = ['ActiveState=active', 'MainPID=77', 'UnitFileState=enabled'];

function seen(more: {
  readonly units?: readonly Unit[];
  readonly processes?: readonly Process[];
  readonly supervisor?: Supervisor;
}): LeaseOwnerSeen {
  return {
    supervisor: known(more.supervisor ?? noSupervisor),
    units: known(new Map((more.units ?? []).map((each) => [each.name, each]))),
    flanneld: known(more.processes ?? []),
    links: known([]),
    subnetEnv: known({ present: false }),
  };
}

describe('flanneld as a service', () => {
  it('is stopped and started by the unit that has its process', () => {
    expect(flanneldService(seen({ units: [unit('flannel.service', running)], processes: [process] }))).toMatchObject({
      kind: 'runs',
      stop: { argv: ['systemctl', 'stop', 'flannel.service'] },
      start: { argv: ['systemctl', 'start', 'flannel.service'] },
    });
  });

  it('is not left alone between two attempts of systemd, when no process is there', () => {
    const again = unit('flanneld.service', ['ActiveState=activating', 'SubState=auto-restart', 'MainPID=0']);
    expect(flanneldService(seen({ units: [again] })).kind).toBe('runs');
  });

  it.each(['RequiredBy=docker.service', 'BoundBy=docker.service', 'ConsistsOf=docker.service'])(
    'is not stopped when systemd would stop Docker with it: %s',
    (line) => {
      const service = flanneldService(
        seen({ units: [unit('flanneld.service', [...running, line])], processes: [process] }),
      );
      expect(service).toMatchObject({ kind: 'not-ours-to-stop', why: expect.stringContaining('docker.service') });
    },
  );

  it('is stopped and started by supervisord when that runs it', () => {
    const program = { name: 'flanneld-7-21', state: 'RUNNING', pid: 77, note: '' };
    expect(
      flanneldService(seen({ processes: [process], supervisor: { ...noSupervisor, programs: [program] } })),
    ).toMatchObject({ kind: 'runs', stop: { argv: ['supervisorctl', 'stop', 'flanneld-7-21'] } });
  });

  it('is not stopped when nobody knows who started it', () => {
    expect(flanneldService(seen({ processes: [process] }))).toMatchObject({ kind: 'not-ours-to-stop' });
    const other = unit('flanneld.service', ['ActiveState=active', 'MainPID=5']);
    expect(flanneldService(seen({ processes: [process], units: [other] })).kind).toBe('not-ours-to-stop');
  });

  it('that is stopped is told with what would start it at boot', () => {
    const off = unit('flanneld.service', ['ActiveState=inactive', 'MainPID=0', 'UnitFileState=enabled']);
    expect(flanneldService(seen({ units: [off] }))).toEqual({ kind: 'stopped', name: 'flanneld.service' });
    const program = { name: 'flanneld', state: 'STOPPED', pid: null, note: '' };
    expect(flanneldService(seen({ supervisor: { ...noSupervisor, programs: [program] } }))).toEqual({
      kind: 'stopped',
      name: 'flanneld in supervisord',
    });
    expect(flanneldService(seen({}))).toEqual({ kind: 'stopped', name: null });
  });

  it('is unknown when what runs there is', () => {
    expect(flanneldService({ ...seen({}), flanneld: unknown('no answer') }).kind).toBe('unknown');
    expect(flanneldService({ ...seen({}), units: unknown('no answer') }).kind).toBe('unknown');
  });
});
