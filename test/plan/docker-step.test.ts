import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { carryOut } from '../../src/lib/engine/carry-out';
import { survey } from '../../src/lib/engine/survey';
import { known } from '../../src/lib/fact/fact';
import { fileContents } from '../../src/lib/fact/files';
import { localHost } from '../../src/lib/host/local';
import type { DockerSection } from '../../src/lib/inventory/inventory';
import { type DockerPlan, refusedDockerPlan } from '../../src/lib/plan/docker';
import {
  type DockerAnswers,
  dockerEnvironmentFiles,
  dockerFactsOf,
  dockerStep,
  planNodeDocker,
} from '../../src/lib/plan/docker-step';
import { fileChanges, type HostChange, type NodeStep, seenText } from '../../src/lib/plan/host-change';
import { knownValue } from '../fact/captured';
import { dockerRunning, files, nodeSeen, process as running } from '../support/node-seen';

const host = localHost({ name: 'here' });
/** What is written on a node is root's. */
const asRoot = process.getuid?.() === 0;
const member = (): never => {
  throw new Error('nothing is pushed here');
};
const subnetEnv = {
  path: '/run/flannel/subnet.env',
  text: 'FLANNEL_NETWORK=172.7.0.0/16\nFLANNEL_SUBNET=172.7.21.1/24\nFLANNEL_MTU=1500\nFLANNEL_IPMASQ=false\n',
};
const style = { style: 'daemon-json', after: ['flanneld.service'] } as const;

let folder = '';
let path = '';
let section: DockerSection = {};
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'netctl-docker-step-'));
  path = join(folder, 'daemon.json');
  section = { daemonJson: path };
  onTestFinished(() => rmSync(folder, { recursive: true }));
});

/** A node with a Docker that runs; its daemon.json is the one in the folder, as the node tells of it. */
async function answersOf(change: Partial<DockerAnswers> = {}): Promise<DockerAnswers> {
  const { answers } = await survey(host, { texts: fileContents([path]) }, { timeoutMs: 10_000 });
  const others = dockerEnvironmentFiles.map((each) => [each, known({ present: false as const })] as const);
  const ours = [
    '/usr/local/lib/netctl/docker-from-subnet-env',
    '/etc/systemd/system/docker.service.d/zz-netctl-flannel.conf',
    '/etc/systemd/system/netctl-docker-follow.path',
    '/etc/systemd/system/netctl-docker-follow.service',
    '/var/lib/netctl/docker_opts.env',
  ].map((each) => [each, known({ present: false as const })] as const);
  return {
    ...nodeSeen('10.4.7.21').answers,
    dockerd: known([running(8, ['/usr/sbin/dockerd'])]),
    texts: known(new Map([...others, ...ours, ...knownValue(answers.texts)])),
    ...change,
  };
}

/** What is done to daemon.json alone. */
function onlyJson(plan: DockerPlan): NodeStep {
  const isJson = (each: { readonly path: string }): boolean => each.path === path;
  const { writes, undo } = plan;
  const only = { ...plan, writes: writes.filter(isJson), undo: undo.filter(isJson), reload: false, restart: null };
  return dockerStep('Docker', only, section, 'node1', known([]));
}

describe('daemon.json behind a symbolic link', () => {
  beforeEach(() => {
    mkdirSync(join(folder, 'real'));
    writeFileSync(join(folder, 'real/daemon.json'), '{\n  "data-root": "/data/docker"\n}\n');
    chmodSync(join(folder, 'real/daemon.json'), 0o640);
    symlinkSync('real/daemon.json', path);
  });

  it.runIf(asRoot)(
    'is seen and replaced whole at its end; the link stays, and then there is nothing to do',
    async () => {
      const plan = planNodeDocker(await answersOf(), section, subnetEnv, style);
      expect(plan.refusals).toEqual([]);
      await carryOut(onlyJson(plan), { host, member });
      expect(lstatSync(path).isSymbolicLink()).toBe(true);
      const real = join(folder, 'real/daemon.json');
      expect(JSON.parse(readFileSync(real, 'utf8'))).toEqual({
        'data-root': '/data/docker',
        bip: '172.7.21.1/24',
        mtu: 1500,
        'ip-masq': true,
      });
      expect(statSync(real).mode & 0o7777).toBe(0o640);
      expect(onlyJson(planNodeDocker(await answersOf(), section, subnetEnv, style)).changes).toEqual([]);
    },
  );

  it('shows its conflicts before anything is touched', async () => {
    writeFileSync(path, '{ "bridge": "br7" }\n');
    const plan = planNodeDocker(await answersOf(), section, subnetEnv, style);
    expect(plan.refusals.map(({ code }) => code)).toEqual(['bip-and-bridge']);
  });

  it.each([
    ['leads nowhere', () => rmSync(join(folder, 'real/daemon.json')), 'which is not there'],
    [
      'leads to a folder',
      () => {
        rmSync(join(folder, 'real/daemon.json'));
        mkdirSync(join(folder, 'real/daemon.json'));
      },
      'which is a folder',
    ],
  ])('is refused when it %s', async (_, change, what) => {
    change();
    const { facts, refusals } = dockerFactsOf(await answersOf(), section, subnetEnv);
    expect(facts).toBeNull();
    expect(refusals).toEqual([
      expect.objectContaining({
        code: 'docker-file-odd',
        severity: 'error',
        path,
        message: expect.stringContaining(`a symbolic link to real/daemon.json, ${what}`) as string,
      }),
    ]);
  });

  it.runIf(asRoot)('and any other file that netctl writes is right when it is right at its end', async () => {
    const file = (content: string) => ({ kind: 'file', path, mode: 0o640, content, isSecret: false, why: '' }) as const;
    const changesFor = async (content: string): Promise<readonly HostChange[]> => {
      const { texts } = await answersOf();
      return fileChanges([file(content)], (each) => seenText(texts, each)).changes;
    };
    for (const change of await changesFor('new\n')) {
      await carryOut({ title: 'a file', changes: [change], mind: [] }, { host, member });
    }
    expect([lstatSync(path).isSymbolicLink(), readFileSync(path, 'utf8')]).toEqual([true, 'new\n']);
    expect(await changesFor('new\n')).toEqual([]);
  });
});

it('has a file of variables that is a folder refused', async () => {
  const folderThere = { uid: 0, gid: 0, sizeBytes: 0, modifiedAtSeconds: 0, target: null, bytes: null };
  const answers = await answersOf();
  const state = known({ present: true as const, kind: 'folder' as const, mode: 0o755, ...folderThere });
  const texts = known(new Map([...knownValue(answers.texts), ['/etc/default/docker', state]]));
  const { refusals } = dockerFactsOf({ ...answers, texts }, section, subnetEnv);
  expect(refusals.map(({ code, path: at }) => [code, at])).toEqual([['docker-file-odd', '/etc/default/docker']]);
});

it('names what is not known, and three files at most', async () => {
  const { refusals } = dockerFactsOf(await answersOf({ texts: files({}) }), section, subnetEnv);
  expect(refusals.map(({ code }) => code)).toEqual(['docker-unknown']);
  expect(refusals[0]?.message.match(/what is there is no file/g)).toHaveLength(3);
});

describe('what dockerd is asked before daemon.json is written', () => {
  const validate = (candidate: string): readonly string[] => [
    'sh',
    '-c',
    'grep -q BAD "$1" && { echo "unknown key BAD" >&2; exit 1; }; exit 0',
    'dockerd',
    candidate,
  ];
  const stepFor = (): NodeStep => {
    const before = readFileSync(path, 'utf8');
    const after = before.replace('{', '{ "bip": "172.7.21.1/24",');
    const write = { kind: 'write', path, mode: 0o644, before, after, why: '' } as const;
    return dockerStep(
      'Docker',
      { ...refusedDockerPlan(style, []), writes: [write], validate },
      section,
      'n',
      known([]),
    );
  };

  it.runIf(asRoot)('is taken away when it refuses, and the refusal is told', async () => {
    writeFileSync(path, '{ "BAD": 1 }\n');
    await expect(carryOut(stepFor(), { host, member })).rejects.toMatchObject({
      code: 'node-change-failed',
      message: expect.stringContaining('unknown key BAD') as string,
    });
    expect(readdirSync(folder)).toEqual(['daemon.json']);
  });

  it.runIf(asRoot)('is no conflict when a run that was killed has left one', async () => {
    writeFileSync(path, '{ "debug": true }\n');
    writeFileSync(`${path}.netctl-candidate`, '{ "BAD": 1 }\n');
    await carryOut(stepFor(), { host, member });
    expect(readdirSync(folder)).toEqual(['daemon.json']);
    expect(readFileSync(path, 'utf8')).toBe('{ "bip": "172.7.21.1/24", "debug": true }\n');
  });

  it.runIf(asRoot)('is taken away when the run is stopped there', async () => {
    writeFileSync(path, '{ "debug": true }\n');
    const stop = new AbortController();
    const step = stepFor();
    const doing = (change: HostChange): void => {
      if (change === step.changes[1]) stop.abort();
    };
    await expect(carryOut(step, { host, member, doing, stop: stop.signal })).rejects.toMatchObject({
      code: 'node-change-stopped',
    });
    expect(readdirSync(folder)).toEqual(['daemon.json']);
  });
});

describe('containers that netctl stops itself because of live-restore', () => {
  const container = (name: string, restartPolicy: string) => ({
    id: 'a'.repeat(64),
    name,
    image: 'lab.image',
    restartPolicy,
    restartsWithDocker: restartPolicy === 'always' || restartPolicy === 'unless-stopped',
    networks: new Map(),
    pid: 5,
  });
  const containers = known([container('db', 'unless-stopped'), container('web', 'always'), container('job', 'no')]);
  const stepFor = async (isLiveRestore: boolean): Promise<NodeStep> => {
    writeFileSync(path, '{}\n');
    const answers = await answersOf({ docker: dockerRunning('20.10.24', { isLiveRestore }), containers });
    const plan = planNodeDocker(answers, section, subnetEnv, style);
    return dockerStep('Docker', plan, section, 'node1', answers.containers);
  };
  const words = (change: HostChange): string => ('argv' in change ? change.argv.join(' ') : change.kind);

  it('are started again when Docker would not do so, once it is back', async () => {
    const { changes, mind } = await stepFor(true);
    const lines = changes.map(words);
    const from = lines.indexOf('docker stop -- db web job');
    expect(lines.slice(from)).toEqual([
      'docker stop -- db web job',
      'systemctl reset-failed docker.service',
      'systemctl restart docker.service',
      expect.stringContaining('docker info') as string,
      'docker start -- db',
    ]);
    // One that does not start is no reason to take daemon.json back.
    expect(changes.at(-1)).toMatchObject({ kind: 'run', undoesNothing: true });
    expect(mind).toContain('these stay stopped, their restart policy does not bring them back: job');
  });

  it('come back after a failure and after Ctrl-C too, when the old Docker runs again or still', async () => {
    const { undo } = await stepFor(true);
    const last = undo?.at(-1);
    expect(last).toMatchObject({
      of: { argv: ['docker', 'stop', '--', 'db', 'web', 'job'] },
      change: { argv: ['docker', 'start', '--', 'web', 'db'] },
      evenWhenStopped: true,
    });
  });

  it('are none without live-restore: Docker stops them, and brings them back by their policy', async () => {
    const { changes } = await stepFor(false);
    expect(changes.map(words).filter((line) => /^docker (stop|start)/.test(line))).toEqual([]);
  });
});
