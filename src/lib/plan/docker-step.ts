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
import type { Problem } from '../net/problem';
import type { UnitFile } from '../net/unit-settings';
import {
  type DockerFacts,
  type DockerPlan,
  type DockerWish,
  dockerDefaults,
  dockerFiles,
  type FileFact,
  type FileWrite,
  planDocker,
  refusedDockerPlan,
} from './docker';
import { stayStopped, stopContainers } from './docker-containers-stop';
import {
  type HostChange,
  type NodeStep,
  type SeenPath,
  seenText,
  sha256Of,
  throughLink,
  type Undo,
} from './host-change';

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
  const found = throughLink(seenText(texts, dockerDefaults.dropIn));
  return found?.kind === 'file' ? found.text : null;
}

/** The node's Docker as its planner wants it; or why nothing can be planned for it. */
export type DockerReading =
  | { readonly facts: DockerFacts; readonly refusals: readonly [] }
  | { readonly facts: null; readonly refusals: readonly Problem[] };

/**
 * The node's Docker as its planner wants it. What is not known is never taken for "no": that would restart a busy Docker as one that
 * does not run, and its containers with it.
 * @param subnetEnv as it is, or as it will be when flanneld has started
 */
export function dockerFactsOf(
  answers: DockerAnswers,
  docker: DockerSection,
  subnetEnv: DockerFacts['subnetEnv'],
): DockerReading {
  const refusals = [...oddFiles(answers, docker), ...dockerUnknown(answers, docker)];
  if (refusals.length > 0) return { facts: null, refusals };
  const running = answers.docker.known && answers.docker.value.state === 'running' ? answers.docker.value.engine : null;
  const bridge = answers.networks.known ? answers.networks.value.find(({ name }) => name === 'bridge') : undefined;
  const docker0 = answers.links.known ? answers.links.value.find(({ name }) => name === 'docker0') : undefined;
  const program = answers.dockerProgram.known ? answers.dockerProgram.value : undefined;
  return {
    refusals: [],
    facts: {
      ...dockerSettingsOf(answers, docker),
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
      files: dockerFiles({}).map((path) => fileFact(answers, path)),
    },
  };
}

/** How Docker is set up and started, without what the running one says. What is not known is absent here. */
export function dockerSettingsOf(
  answers: Pick<DockerAnswers, 'texts' | 'dockerUnit' | 'dockerd'>,
  docker: DockerSection,
): Pick<DockerFacts, 'daemonJson' | 'unit' | 'cmdline'> {
  return {
    daemonJson: fileFact(answers, daemonJsonOf(docker)),
    unit: {
      files: dockerUnitFiles(answers),
      environmentFiles: dockerEnvironmentFiles.map((path) => ({ path, text: fileFact(answers, path).text })),
    },
    cmdline: daemonOf(answers)?.words ?? null,
  };
}

/** What must change for the node's Docker; refused when something that the plan would rest on is not known. */
export function planNodeDocker(
  answers: DockerAnswers,
  docker: DockerSection,
  subnetEnv: DockerFacts['subnetEnv'],
  wish: DockerWish,
): DockerPlan {
  const { facts, refusals } = dockerFactsOf(answers, docker, subnetEnv);
  return facts === null ? refusedDockerPlan(wish, refusals) : planDocker(facts, wish);
}

/** Where netctl has dockerd judge new settings. A run that was cut off there leaves it behind. */
export function candidateOf(daemonJson: string): string {
  return `${daemonJson}.netctl-candidate`;
}

function daemonJsonOf(docker: DockerSection): string {
  return docker.daemonJson ?? inventoryDefaults.docker.daemonJson;
}

function daemonOf({ dockerd }: Pick<DockerAnswers, 'dockerd'>): Process | undefined {
  return dockerd.known ? dockerd.value.find(isDaemon) : undefined;
}

/** As Docker reads it, and as it is written: through a link. */
function fileFact({ texts }: Pick<DockerAnswers, 'texts'>, path: string): FileFact {
  const seen = seenText(texts, path);
  const found = throughLink(seen);
  if (found?.kind !== 'file') return { path, text: null, mode: null };
  return { path, text: found.text, mode: found.mode, ...(seen?.kind === 'link' ? { isLink: true } : {}) };
}

function filesOf(docker: DockerSection): readonly string[] {
  return [...new Set([daemonJsonOf(docker), ...dockerEnvironmentFiles, ...dockerFiles({})])];
}

/** A link that leads nowhere, or something that is no file: nothing can be read there, and nothing written. */
function oddFiles({ texts }: DockerAnswers, docker: DockerSection): readonly Problem[] {
  return filesOf(docker).flatMap((path): readonly Problem[] => {
    const seen = seenText(texts, path);
    const found = throughLink(seen);
    if (found === undefined || found.kind === 'file' || (found.kind === 'absent' && seen?.kind !== 'link')) return [];
    const leads = seen?.kind === 'link' ? `a symbolic link to ${seen.target}, which is ` : '';
    return [
      {
        code: 'docker-file-odd',
        severity: 'error',
        path,
        message: `${path} is ${leads}${found.kind === 'folder' ? 'a folder' : 'not there'}: Docker's settings cannot be read there, and nothing can be written`,
        suggestion: `ls -ld ${path}; put a file there, or take it away`,
      },
    ];
  });
}

/** Is something not known of the node's Docker that a plan must rest on? A moment later it may be. */
export function isDockerUnknown(answers: DockerAnswers, docker: DockerSection): boolean {
  return dockerUnknown(answers, docker).length > 0;
}

function dockerUnknown(answers: DockerAnswers, docker: DockerSection): readonly Problem[] {
  const { dockerd, dockerUnit, texts, docker: state, networks, containers, links } = answers;
  const missing: string[] = [];
  const need = (what: string, fact: Known<unknown>): void => {
    if (!fact.known) missing.push(`${what} (${fact.why})`);
  };
  need('whether it runs', dockerd);
  need('how systemd starts it', dockerUnit);
  need('its files', texts);
  if (texts.known) {
    const unread = filesOf(docker).filter((path) => throughLink(seenText(texts, path)) === undefined);
    for (const path of unread.slice(0, 3)) {
      const fact = texts.value.get(path);
      missing.push(`${path} (${fact?.known === false ? fact.why : 'what is there is no file'})`);
    }
  }
  const daemon = daemonOf(answers);
  if (daemon !== undefined) {
    // Docker that is known not to run has none of these, and is planned for.
    need('what it says of itself', state);
    if (state.known && state.value.state === 'stopped')
      missing.push(`what it says of itself (process ${daemon.pid} runs, and does not answer: ${state.value.why})`);
    need('its networks', networks);
    need('which containers run', containers);
    need('the links of the node', links);
  } else if (dockerd.known && state.known && state.value.state === 'running') {
    missing.push('whether it runs (one answers, and no dockerd is seen among the processes of the node)');
  }
  if (missing.length === 0) return [];
  return [
    {
      code: 'docker-unknown',
      severity: 'error',
      path: 'docker',
      message: `what Docker is like on this node could not be found out, and nothing is done to it on a guess: ${missing.join('; ')}`,
      suggestion:
        'As root on the node: docker info; docker network inspect bridge; docker ps. When these answer, run this again.',
    },
  ];
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
  const containers = running.known ? running.value : [];
  const changes: HostChange[] = [];
  const undo: Undo[] = [];
  if (plan.validate !== null) {
    const json = plan.writes.find(({ path }) => path.endsWith('.json'));
    if (json !== undefined && json.after !== null) {
      const candidate = candidateOf(json.path);
      const question: HostChange = {
        kind: 'write',
        path: candidate,
        mode: 0o600,
        content: Buffer.from(json.after),
        before: { kind: 'anything' },
        isSecret: true,
        why: 'dockerd is asked first whether it takes the new settings',
      };
      const away: HostChange = {
        kind: 'remove',
        path: candidate,
        before: { kind: 'anything' },
        why: 'it was for the question only',
      };
      changes.push(
        question,
        { kind: 'run', argv: wordsOf(plan.validate(candidate)), why: 'dockerd judges the new settings' },
        away,
      );
      undo.push({ of: question, change: away, evenWhenStopped: true });
    }
  }
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
    const stopped =
      plan.restart.stopFirst && plan.restart.stops.length > 0
        ? stopContainers(plan.restart.stops, containers, seconds)
        : null;
    if (stopped !== null) changes.push(stopped.stop);
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
      ...(stopped?.undo ?? []),
    );
    if (stopped !== null && stopped.start !== null) changes.push(stopped.start);
  }
  const stops = plan.restart?.stops ?? [];
  const stay = stayStopped(stops, containers);
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
