import type { DockerProgram, DockerState } from '../fact/docker';
import type { RunningContainer } from '../fact/docker-containers';
import type { DockerNetwork } from '../fact/docker-networks';
import type { Known } from '../fact/fact';
import type { FileContent, FileFact as SeenFile } from '../fact/files';
import type { Link } from '../fact/links';
import type { Process } from '../fact/processes';
import type { DockerSection } from '../inventory/inventory';
import { inventoryDefaults } from '../inventory/inventory-defaults';
import { formatCidr } from '../net/cidr';
import { formatIpv4 } from '../net/ipv4';
import type { UnitFile } from '../net/unit-settings';
import {
  type DockerFacts,
  type DockerPlan,
  dockerDefaults,
  dockerFiles,
  type FileFact,
  type FileWrite,
} from './docker';
import { type HostChange, type NodeStep, type SeenPath, seenText, sha256Of, type Undo } from './host-change';

/** What must have been asked of a node so that its Docker can be planned for. */
export interface DockerAnswers {
  readonly texts: Known<ReadonlyMap<string, SeenFile<FileContent>>>;
  readonly docker: Known<DockerState>;
  readonly dockerProgram: Known<DockerProgram>;
  readonly dockerUnit: Known<readonly UnitFile[]>;
  readonly dockerd: Known<readonly Process[]>;
  readonly containers: Known<readonly RunningContainer[]>;
  readonly networks: Known<readonly DockerNetwork[]>;
  readonly links: Known<readonly Link[]>;
}

/** Files that docker.service may read its flags from, besides those of its unit. */
export const dockerEnvironmentFiles = [
  '/etc/default/docker',
  '/etc/sysconfig/docker',
  '/etc/sysconfig/docker-network',
  '/etc/sysconfig/docker-storage',
  dockerDefaults.optionsFile,
] as const;

/**
 * docker.service as systemd would read it now: with our drop-in, also when systemd has not read it yet. systemd itself then says that
 * nothing needs a reload, as long as it does not look into the new folder (seen with 252).
 */
export function dockerUnitFiles(answers: Pick<DockerAnswers, 'texts' | 'dockerUnit'>): readonly UnitFile[] {
  const files = answers.dockerUnit.known ? answers.dockerUnit.value : [];
  const text = unreadDropIn(answers);
  return text === null ? files : [...files, { path: dockerDefaults.dropIn, text }];
}

/** Our drop-in as it lies there while systemd does not know it; null when it does, or when there is none. */
export function unreadDropIn({ texts, dockerUnit }: Pick<DockerAnswers, 'texts' | 'dockerUnit'>): string | null {
  if (dockerUnit.known && dockerUnit.value.some(({ path }) => path === dockerDefaults.dropIn)) return null;
  const found = seenText(texts, dockerDefaults.dropIn);
  return found?.kind === 'file' ? found.text : null;
}

/** The node's Docker as its planner wants it. @param subnetEnv as it is, or as it will be when flanneld has started */
export function dockerFactsOf(
  answers: DockerAnswers,
  docker: DockerSection,
  subnetEnv: DockerFacts['subnetEnv'],
): DockerFacts {
  const file = (path: string): FileFact => {
    const found = seenText(answers.texts, path);
    return found?.kind === 'file' ? { path, text: found.text, mode: found.mode } : { path, text: null, mode: null };
  };
  const running = answers.docker.known && answers.docker.value.state === 'running' ? answers.docker.value.engine : null;
  const bridge = answers.networks.known ? answers.networks.value.find(({ name }) => name === 'bridge') : undefined;
  const docker0 = answers.links.known ? answers.links.value.find(({ name }) => name === 'docker0') : undefined;
  const dockerd = answers.dockerd.known ? answers.dockerd.value.find(isDaemon) : undefined;
  const program = answers.dockerProgram.known ? answers.dockerProgram.value : undefined;
  return {
    daemonJson: file(docker.daemonJson ?? inventoryDefaults.docker.daemonJson),
    unit: {
      files: dockerUnitFiles(answers),
      environmentFiles: dockerEnvironmentFiles.map((path) => ({ path, text: file(path).text })),
    },
    cmdline: dockerd?.words ?? null,
    version: running?.version.text ?? program?.version?.text ?? null,
    docker0:
      docker0 === undefined
        ? null
        : {
            addresses: docker0.addresses.flatMap((address) =>
              address.family === 4 ? [`${formatIpv4(address.address)}/${address.length}`] : [],
            ),
          },
    bridge:
      bridge === undefined
        ? null
        : {
            subnet: bridge.subnets.flatMap(({ range }) => (range.family === 4 ? [formatCidr(range)] : []))[0] ?? null,
            mtu: bridge.mtu,
            ipMasq: bridge.masquerades ?? true,
          },
    containers: answers.containers.known ? answers.containers.value.map(({ name }) => name) : [],
    liveRestore: running?.isLiveRestore ?? null,
    subnetEnv,
    files: dockerFiles({}).map(file),
  };
}

/** Not one in a container: that is the container's business. */
function isDaemon({ isInHostsNamespace }: Process): boolean {
  return isInHostsNamespace !== false;
}

/** A file of the plan for Docker as a change of the node. */
export function dockerWrite(each: FileWrite): HostChange {
  const before: SeenPath =
    each.before === null
      ? { kind: 'absent' }
      : { kind: 'file', sha256: sha256Of(Buffer.from(each.before)), mode: each.mode, text: each.before };
  const { path, mode, after, why } = each;
  return after === null
    ? { kind: 'remove', path, before, why }
    : { kind: 'write', path, mode, content: Buffer.from(after), before, isSecret: false, why };
}

/** What is done on the node so that Docker is as planned: files, restart, and what is put back when it does not come up. */
export function dockerStep(
  title: string,
  plan: DockerPlan,
  docker: DockerSection,
  node: string,
  running: DockerAnswers['containers'],
): NodeStep {
  const service = `${docker.service ?? inventoryDefaults.docker.service}.service`;
  const seconds = docker.restartTimeoutSeconds ?? inventoryDefaults.docker.restartTimeoutSeconds;
  const changes: HostChange[] = [];
  if (plan.validate !== null) {
    const json = plan.writes.find(({ path }) => path.endsWith('.json'));
    if (json !== undefined && json.after !== null) {
      const candidate = `${json.path}.netctl-candidate`;
      changes.push(
        {
          kind: 'write',
          path: candidate,
          mode: 0o600,
          content: Buffer.from(json.after),
          before: { kind: 'absent' },
          isSecret: true,
          why: 'dockerd is asked first whether it takes the new settings',
        },
        { kind: 'run', argv: wordsOf(plan.validate(candidate)), why: 'dockerd judges the new settings' },
        {
          kind: 'remove',
          path: candidate,
          before: { kind: 'file', sha256: sha256Of(Buffer.from(json.after)), mode: 0o600, text: null },
          why: 'it was for the question only',
        },
      );
    }
  }
  const undo: Undo[] = [];
  for (const each of plan.writes) {
    const change = dockerWrite(each);
    const back = plan.undo.find(({ path }) => path === each.path);
    changes.push(change);
    if (back !== undefined) undo.unshift({ of: change, change: dockerWrite(back) });
  }
  if (plan.reload) {
    const reload: HostChange = {
      kind: 'run',
      argv: ['systemctl', 'daemon-reload'],
      why: 'systemd reads the changed units',
    };
    changes.push(reload);
    undo.push({ of: reload, change: { ...reload, why: 'systemd reads the old units' } });
  }
  for (const unit of plan.disable)
    changes.push({ kind: 'run', argv: ['systemctl', 'disable', '--now', unit], why: 'no longer wanted' });
  for (const unit of plan.enable)
    changes.push({ kind: 'run', argv: ['systemctl', 'enable', '--now', unit], why: 'follows flannel' });
  if (plan.restart !== null) {
    if (plan.restart.stopFirst && plan.restart.stops.length > 0) {
      changes.push({
        kind: 'run',
        argv: ['docker', 'stop', '--', ...plan.restart.stops],
        timeoutMs: seconds * 1000 + 30_000,
        why: 'with live-restore dockerd keeps the old bridge while a container runs',
      });
    }
    const again: HostChange = {
      kind: 'run',
      argv: ['systemctl', 'restart', service],
      timeoutMs: seconds * 1000,
      why: plan.restart.why.join('; '),
    };
    // Debian lets Docker start three times a minute; beyond it stays down, also for the one that would mend it.
    const forgive: HostChange = {
      kind: 'run',
      argv: ['systemctl', 'reset-failed', service],
      why: 'systemd counts failed starts of before no more',
    };
    changes.push(forgive, again);
    if (plan.expected.address !== null) {
      changes.push({
        kind: 'wait',
        argv: [
          'sh',
          '-c',
          'ip -4 -o addr show dev docker0 | grep -qF " $1 " && docker info >/dev/null 2>&1',
          'sh',
          plan.expected.address,
        ],
        seconds,
        why: `docker0 has ${plan.expected.address}`,
      });
    }
    undo.push(
      { of: again, change: forgive },
      { of: again, change: { ...again, why: 'Docker starts with its old settings' } },
    );
  }
  const containers = running.known ? running.value : [];
  const stops = plan.restart?.stops ?? [];
  const stay = containers
    .filter(({ name, restartsWithDocker }) => stops.includes(name) && !restartsWithDocker)
    .map(({ name }) => name);
  return {
    title,
    changes,
    oneAtATime: 'docker-restart',
    undo,
    mind: [
      ...(plan.restart === null
        ? []
        : [
            `Docker on ${node} is ${plan.restart.kind === 'start' ? 'started' : 'restarted'}: ${plan.restart.why.join('; ')}`,
          ]),
      ...(stops.length === 0
        ? []
        : [`${stops.length} containers stop: ${stops.slice(0, 10).join(', ')}${stops.length > 10 ? ', …' : ''}`]),
      ...(stay.length === 0
        ? []
        : [`these stay stopped, their restart policy does not bring them back: ${stay.slice(0, 10).join(', ')}`]),
    ],
  };
}

function wordsOf(words: readonly string[]): readonly [string, ...string[]] {
  const [first = 'false', ...rest] = words;
  return [first, ...rest];
}
