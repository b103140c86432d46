import type { EtcdOutcome } from '../fact/etcd-reach';
import type { Process } from '../fact/processes';
import { inventoryDefaults } from '../inventory/inventory-defaults';
import { daemonJsonKeys } from '../net/docker-options';
import { dockerdCommand, flagPlace } from '../net/dockerd-flags';
import { readFlanneld } from '../net/flannel-flags';
import { readFlannelUnit } from '../net/flannel-unit';
import { compareFlannel, etcdApiOf, type FlannelVersion, isAtLeast, newestFlannel } from '../net/flannel-version';
import { readDaemonJson } from '../net/json-edit';
import type { Problem } from '../net/problem';
import { readStartScript, readSupervisorPrograms } from '../net/supervisor-program';
import { isWrittenByNetctl } from '../net/written-by-netctl';
import { dockerDefaults } from '../plan/docker';
import { dockerUnitFiles } from '../plan/docker-step';
import type { PreflightInput } from './preflight-checks';
import {
  type FleetCheck,
  fileText,
  installCommand,
  type NodeCheck,
  type NodeScene,
  notChecked,
  someOf,
} from './preflight-scene';

/** Flaws of releases that a network kept in etcd suffers from (flannel-spec 3.6 and 4.2; changes of v0.21.3, v0.26.4 and v0.28.6). */
const flaws: readonly { readonly from: string; readonly before: string; readonly what: string }[] = [
  {
    from: 'v0.18.0',
    before: 'v0.21.3',
    what: 'panics whenever it stops or loses etcd (exit code 2), and loses peers when several change at once',
  },
  {
    from: 'v0.21.3',
    before: 'v0.26.4',
    what: 'does not see peers any more after etcd was away, and takes a whole processor until it is restarted',
  },
  {
    from: 'v0.26.4',
    before: 'v0.28.6',
    what: 'does not see peers any more after etcd was compacted, and fills the log, until it is restarted',
  },
];

export const releaseOfFleet: FleetCheck = function* (scenes, input) {
  const { version, effective, configIn } = input;
  const api = etcdApiOf(version);
  if (configIn !== null && configIn !== 'none' && configIn !== 'both' && configIn !== api) {
    yield {
      node: null,
      code: 'release-other-api',
      severity: 'error',
      path: 'version',
      message: `flannel ${version.tag} reads etcd ${api}, and the network config stands in ${configIn} only: flanneld would wait for it for ever`,
      suggestion:
        api === 'v3'
          ? 'Write it there first: netctl init-network … --api v3. Leases do not follow by themselves: each node asks again for the subnet in its subnet.env.'
          : 'Take v0.18.0 or later, which reads v3.',
    };
  } else if (effective === null) {
    yield {
      node: null,
      code: 'preflight-no-config',
      severity: 'error',
      path: 'config',
      message: `there is no network config that flannel ${version.tag} accepts: what depends on the network could not be checked, and flanneld would wait for ever`,
      suggestion: 'netctl init-network --help, or for the reason: netctl network validate',
    };
  }
  const flaw = flaws.find(({ from, before }) => isAtLeast(version, from) && !isAtLeast(version, before));
  if (flaw !== undefined) {
    yield {
      node: null,
      code: 'release-flaw',
      severity: 'warning',
      path: 'version',
      message: `flannel ${version.tag} ${flaw.what}`,
      suggestion: `flannel.version: ${newestFlannel.tag} (mended in ${flaw.before})`,
    };
  }
  const byApi = new Map<string, string[]>();
  for (const scene of scenes) {
    const runs = releaseOn(scene);
    if (runs !== null)
      byApi.set(etcdApiOf(runs), [...(byApi.get(etcdApiOf(runs)) ?? []), `${scene.node.name} ${runs.tag}`]);
  }
  if (byApi.size > 1) {
    yield {
      node: null,
      code: 'release-mix',
      severity: 'warning',
      path: 'version',
      message: `the nodes are two networks that do not see each other: etcd v2 is read by ${someOf(byApi.get('v2') ?? [])}, v3 by ${someOf(byApi.get('v3') ?? [])}`,
      suggestion: 'Bring all nodes to one release: netctl node bootstrap --all',
    };
  }
};

/** The release that is on the node now: that of the program which runs, else of the one where ours would lie. */
function releaseOn({ answers, layout }: NodeScene): FlannelVersion | null {
  const { flannelPrograms, flanneld } = answers;
  if (!flannelPrograms.known) return null;
  const running = flanneld.known ? flanneld.value.flatMap(({ program }) => program ?? []) : [];
  const paths = [...running, layout.executable, layout.programs.flanneld];
  const program =
    paths.map((path) => flannelPrograms.value.find((each) => each.path === path)).find((each) => each !== undefined) ??
    flannelPrograms.value[0];
  return program?.version ?? null;
}

export const release: NodeCheck = function* (scene) {
  const { answers, input } = scene;
  const { version } = input;
  const { flannelPrograms } = answers;
  if (!flannelPrograms.known) {
    yield notChecked('the release of flannel on the node', flannelPrograms.why);
    return;
  }
  for (const { path, version: found, why } of flannelPrograms.value) {
    if (found === null) yield notChecked(`the release of ${path}`, why ?? 'it does not tell');
  }
  const runs = releaseOn(scene);
  if (runs === null) return;
  if (etcdApiOf(runs) !== etcdApiOf(version)) {
    yield {
      code: 'release-crosses-api',
      severity: 'warning',
      path: 'version',
      message: `flannel goes from ${runs.tag} (etcd ${etcdApiOf(runs)}) to ${version.tag} (etcd ${etcdApiOf(version)}): leases are not carried over, and nodes of the two do not see each other meanwhile`,
      suggestion: 'Keep subnet.env on the nodes, so that each asks for its subnet again, and do all nodes in one go.',
    };
  } else if (compareFlannel(runs, version) > 0) {
    yield {
      code: 'release-downgrade',
      severity: 'warning',
      path: 'version',
      message: `flannel ${runs.tag} is on the node, and the older ${version.tag} is to take its place`,
      suggestion: `flannel.version: ${runs.tag}, unless the older one is meant`,
    };
  }
};

export const etcd: NodeCheck = function* (scene) {
  const { answers, input } = scene;
  const { etcd: found } = answers;
  if (!found.known) {
    yield notChecked('etcd from the node', found.why);
    return;
  }
  const { endpoints } = input;
  for (const endpoint of endpoints) {
    if (!found.value.some((reach) => reach.endpoint === endpoint))
      yield notChecked(endpoint, 'the node was not asked for it');
  }
  const api = etcdApiOf(input.version);
  const works = found.value.filter(({ with: how, outcome }) => isFine(outcome, how));
  const hasNone = works.length === 0;
  for (const { endpoint, with: how, outcome } of found.value) {
    switch (outcome.kind) {
      case 'answered': {
        if (outcome.version === null) {
          yield {
            code: 'etcd-not-reached',
            severity: hasNone ? 'error' : 'warning',
            path: endpoint,
            message: `${endpoint} answers the node, and what answers is no etcd`,
            suggestion: `curl ${endpoint}/version, on the node`,
          };
          break;
        }
        if (outcome.isHealthy === false) {
          yield {
            code: 'etcd-not-healthy',
            severity: 'warning',
            path: endpoint,
            message: `${endpoint} answers the node, and says that it is not healthy (etcd ${outcome.version}): it has no leader, or no space left`,
            suggestion: 'etcdctl endpoint status --cluster -w table; etcdctl alarm list',
          };
        }
        if (api === 'v2' && outcome.servesV2 === false) {
          yield {
            code: 'etcd-other-api',
            severity: 'error',
            path: endpoint,
            message: `${endpoint} (etcd ${outcome.version}) does not serve the v2 API, which flannel ${input.version.tag} reads`,
            suggestion: 'Start etcd with --enable-v2 (3.4 and 3.5), or take flannel v0.18.0 or later.',
          };
        }
        if (api === 'v3' && /^[012]\./.test(outcome.version)) {
          yield {
            code: 'etcd-other-api',
            severity: 'error',
            path: endpoint,
            message: `${endpoint} is etcd ${outcome.version}, which has no v3 API, and flannel ${input.version.tag} reads no other`,
            suggestion: 'Upgrade etcd to 3.4 or later, or take flannel v0.17.0.',
          };
        }
        break;
      }
      case 'connected':
        yield {
          code: 'etcd-certificate-untried',
          severity: 'info',
          path: endpoint,
          message: `${endpoint} is open to the node; without curl and openssl there, no more could be tried`,
          suggestion: installCommand(scene, 'curl', 'curl'),
        };
        break;
      case 'client-certificate':
        if (how === 'no-certificates') {
          yield {
            code: 'etcd-certificate-untried',
            severity: 'info',
            path: endpoint,
            message: `${endpoint} answers the node and asks for a client certificate, which is not on the node yet`,
            suggestion: null,
          };
          break;
        }
        yield notReached(endpoint, outcome, hasNone);
        break;
      case 'refused':
      case 'no-route':
      case 'timeout':
      case 'name':
      case 'server-certificate':
      case 'own-certificate':
      case 'tls':
      case 'failed':
        yield notReached(endpoint, outcome, hasNone);
        break;
      default:
        outcome satisfies never;
    }
  }
};

function isFine(outcome: EtcdOutcome, how: 'certificates' | 'no-certificates'): boolean {
  if (outcome.kind === 'answered') return outcome.version !== null;
  return outcome.kind === 'connected' || (outcome.kind === 'client-certificate' && how === 'no-certificates');
}

type Failed = Extract<EtcdOutcome, { readonly why: string }>;

const failures: Readonly<Record<Failed['kind'], { readonly what: string; readonly mend: string }>> = {
  refused: {
    what: 'refuses the node',
    mend: 'See that etcd runs and listens on an address of the LAN (--listen-client-urls), and that flannel.etcd.endpoints names it as the nodes see it.',
  },
  'no-route': {
    what: 'is not reached by any route of the node',
    mend: 'Mend the routes of the node: ip route get ADDRESS',
  },
  timeout: {
    what: 'does not answer the node in time',
    mend: 'See whether a firewall drops TCP 2379 between the node and etcd.',
  },
  name: {
    what: 'has a name that the node cannot resolve',
    mend: 'Give addresses in flannel.etcd.endpoints, or put the name into the node’s DNS or /etc/hosts.',
  },
  'server-certificate': {
    what: 'shows a certificate that the node does not take',
    mend: 'Compare the CA (flannel.etcd.ca) with the one that signed etcd’s certificate, and the names in it with the endpoint.',
  },
  'client-certificate': {
    what: 'does not take the client certificate of the node',
    mend: 'See that etcd’s --trusted-ca-file signed the client certificate and that it has not expired: netctl certs check',
  },
  'own-certificate': {
    what: 'cannot be asked: the client certificate or key on the node is unreadable, or they do not fit',
    mend: 'Copy all three anew: netctl node bootstrap',
  },
  tls: { what: 'does not speak TLS as the node does', mend: 'See whether the endpoint is https:// or http://.' },
  failed: { what: 'cannot be asked from the node', mend: 'Try it on the node: curl -v ENDPOINT/version' },
};

function notReached(endpoint: string, outcome: Failed, hasNone: boolean): Problem {
  const { what, mend } = failures[outcome.kind];
  return {
    code: 'etcd-not-reached',
    // flanneld goes to another endpoint when one fails.
    severity: hasNone ? 'error' : 'warning',
    path: endpoint,
    message: `${endpoint} ${what}: ${outcome.why}`,
    suggestion: mend,
  };
}

export const service: NodeCheck = function* (scene) {
  const { answers, input } = scene;
  const { programs, supervisor, units } = answers;
  const wanted = input.inventory.flannel.service ?? inventoryDefaults.flannel.service;
  if (!programs.known) yield notChecked('systemd', programs.why);
  else if (!programs.value.has('systemctl')) {
    yield {
      code: 'systemd-missing',
      severity: 'error',
      path: 'systemd',
      message: `systemctl is not there: netctl starts ${wanted === 'systemd' ? 'flanneld and Docker' : 'Docker'} with systemd`,
      suggestion: null,
    };
  }
  if (wanted === 'systemd') {
    if (units.known && units.value.get('flanneld.service')?.loadState === 'masked') {
      yield {
        code: 'unit-masked',
        severity: 'error',
        path: 'flanneld.service',
        message: 'flanneld.service is masked: systemd may not start it',
        suggestion: 'systemctl unmask flanneld.service',
      };
    } else if (!units.known) yield notChecked('flanneld.service', units.why);
    return;
  }
  if (!supervisor.known) {
    yield notChecked('supervisord', supervisor.why);
    return;
  }
  const { isInstalled, isRunning } = supervisor.value;
  if (!isInstalled) {
    yield {
      code: 'supervisor-missing',
      severity: 'error',
      path: 'supervisord',
      message: 'supervisord is not there, and flannel.service is supervisord',
      suggestion: `${installCommand(scene, 'supervisor', 'supervisor')}, or flannel.service: systemd`,
    };
  } else if (!isRunning) {
    yield {
      code: 'supervisor-not-running',
      severity: 'error',
      path: 'supervisord',
      message: 'supervisord does not run, so it would not start flanneld',
      suggestion: `systemctl enable --now ${scene.family === 'rhel' ? 'supervisord' : 'supervisor'}`,
    };
  }
};

/** How flanneld is started on the node now, wherever that is said. */
interface StartOfFlanneld {
  readonly where: string;
  /** `systemd`, `supervisord`, or a process that neither has started. */
  readonly by: 'systemd' | 'supervisord' | 'process';
  readonly isOurs: boolean;
  /** Drop-ins of others over a unit of ours. */
  readonly dropIns: readonly string[];
  /** Words with the program first; null when they cannot be told. */
  readonly words: readonly string[] | null;
  readonly environment: ReadonlyMap<string, string>;
  readonly more: string;
}

function* startsOf(scene: NodeScene): Generator<StartOfFlanneld> {
  const { answers } = scene;
  const { flannelUnit, supervisor, flanneld } = answers;
  if (flannelUnit.known && flannelUnit.value.length > 0) {
    const files = flannelUnit.value;
    const bare = readFlannelUnit(files.map(({ text }) => text));
    const environmentFiles = new Map(
      bare.environmentFiles.flatMap(({ path }) => {
        const text = fileText(answers, path);
        return text.known && text.value !== null ? [[path, text.value] as const] : [];
      }),
    );
    const unit = readFlannelUnit(
      files.map(({ text }) => text),
      environmentFiles,
    );
    const [main, ...dropIns] = files;
    if (main !== undefined && main.text !== '') {
      const isOurs = isWrittenByNetctl(main.text);
      const foreign = dropIns.filter(({ text }) => !isWrittenByNetctl(text)).map(({ path }) => path);
      yield {
        where: isOurs ? main.path : someOf([main.path, ...foreign]),
        by: 'systemd',
        isOurs,
        dropIns: isOurs ? foreign : [],
        words: unit.command,
        environment: unit.environment,
        more: `Type=${unit.type}, Restart=${unit.restart}`,
      };
    }
  }
  const programFiles = supervisor.known ? supervisor.value.programFiles : [];
  let isInFile = false;
  for (const path of programFiles) {
    const text = fileText(answers, path);
    if (!text.known || text.value === null) continue;
    for (const program of readSupervisorPrograms(text.value)) {
      const script = program.command?.find((word) => word.startsWith('/') && !/\/(?:ba|da)?sh$/.test(word));
      const scriptText = script === undefined ? undefined : fileText(answers, script);
      const fromScript =
        scriptText?.known === true && scriptText.value !== null ? readStartScript(scriptText.value) : null;
      const direct = program.command?.some((word) => /(?:^|\/)flanneld$/.test(word)) === true ? program.command : null;
      if (fromScript === null && direct === null && !/flannel/i.test(`${program.name} ${script ?? ''}`)) continue;
      isInFile = true;
      yield {
        where: `program ${program.name} in ${path}`,
        by: 'supervisord',
        isOurs: program.isByNetctl,
        dropIns: [],
        words: fromScript ?? direct,
        environment: new Map(),
        more: `autorestart=${program.settings.get('autorestart') ?? 'unexpected'}`,
      };
    }
  }
  const listed = supervisor.known ? supervisor.value.programs.filter(({ name }) => /flannel/i.test(name)) : [];
  if (!isInFile) {
    for (const { name, state } of listed) {
      yield {
        where: `program ${name} of supervisord`,
        by: 'supervisord',
        isOurs: false,
        dropIns: [],
        words: null,
        environment: new Map(),
        more: state,
      };
    }
  }
  const unit = answers.units.known ? answers.units.value.get('flanneld.service') : undefined;
  const isManaged =
    unit?.activeState === 'active' || unit?.activeState === 'activating' || listed.length > 0 || isInFile;
  for (const process of flanneld.known ? flanneld.value : []) {
    if (isManaged && process.isInHostsNamespace !== false) continue;
    yield {
      where: `process ${process.pid}${process.isInHostsNamespace === false ? ' in a container' : ''}`,
      by: 'process',
      isOurs: false,
      dropIns: [],
      words: flanneldWords(process),
      environment: process.environment ?? new Map(),
      more: 'neither systemd nor supervisord has started it',
    };
  }
}

/** From the program on: what stands before it is an interpreter, or the shell of a start script. */
function flanneldWords({ words }: Process): readonly string[] {
  const at = words.slice(0, 3).findIndex((word) => /(?:^|\/)flanneld$/.test(word));
  return words.slice(Math.max(at, 0));
}

/** The flags without secrets, as a person would write them. */
function flagsText({ words, environment }: Pick<StartOfFlanneld, 'words' | 'environment'>): string {
  if (words === null) return 'flanneld, with flags that cannot be told';
  const { settings } = readFlanneld(words.slice(1), environment, null);
  const flags = Array.from(settings, ([name, { values }]) => {
    if (/password|secret|token/.test(name)) return `--${name}=(secret)`;
    return `--${name}=${values.join(',').replaceAll(/\/\/[^/@]*@/g, '//(secret)@')}`;
  });
  return [words[0] ?? 'flanneld', ...flags].join(' ');
}

export const manager: NodeCheck = function* (scene) {
  const { flanneld, flannelUnit } = scene.answers;
  if (!flanneld.known) yield notChecked('the flags of the running flanneld', flanneld.why);
  if (!flannelUnit.known && !flanneld.known) yield notChecked('flanneld.service', flannelUnit.why);
  const running = (flanneld.known ? flanneld.value : []).map((process: Process) => ({
    where: `process ${process.pid}`,
    words: flanneldWords(process),
    environment: process.environment ?? new Map<string, string>(),
  }));
  const found = [...running, ...startsOf(scene)].find(({ words, environment }) => {
    if (words === null) return false;
    return readFlanneld(words.slice(1), environment, null).settings.get('kube-subnet-mgr')?.values.at(-1) === 'true';
  });
  if (found === undefined) return;
  yield {
    code: 'flanneld-of-kubernetes',
    severity: 'error',
    path: 'kube-subnet-mgr',
    message: `flanneld runs with --kube-subnet-mgr (${found.where}): Kubernetes gives this node its subnet, and what stands in etcd is not looked at`,
    suggestion: 'Leave this node to Kubernetes, or take flannel out there first (its DaemonSet starts flanneld again).',
  };
};

export const handMade: NodeCheck = function* (scene) {
  const { answers, input, layout } = scene;
  const severity = input.adopt ? 'info' : 'error';
  const suggestion = input.adopt
    ? null
    : 'To let netctl take it over, after a look at the plan: netctl node bootstrap --adopt';
  for (const [what, fact] of [
    ['flanneld.service', answers.flannelUnit],
    ['the programs of supervisord', answers.supervisor],
    ['running flannelds', answers.flanneld],
    [dockerService(input), answers.dockerUnit],
  ] as const) {
    if (!fact.known) yield notChecked(what, fact.why);
  }
  const wanted = input.inventory.flannel.service ?? inventoryDefaults.flannel.service;
  for (const start of startsOf(scene)) {
    if (start.dropIns.length > 0) {
      yield {
        code: 'flanneld-drop-in',
        severity: 'warning',
        path: start.dropIns[0] ?? start.where,
        message: `${someOf(start.dropIns)} changes what ${start.where} says, and was written without netctl: it stays, and may overrule it`,
        suggestion: 'systemctl cat flanneld',
      };
    }
    if (start.isOurs && start.by === wanted) continue;
    if (start.isOurs) {
      yield {
        code: 'flanneld-started-twice',
        severity: 'error',
        path: start.where,
        message: `flanneld is started by ${start.by} (${start.where}), as netctl has once set it up, and flannel.service is ${wanted} now: two would run`,
        suggestion: `Take the old one back first: netctl node reset ${scene.node.name}; or flannel.service: ${start.by === 'process' ? wanted : start.by}`,
      };
      continue;
    }
    yield {
      code: 'flanneld-by-hand',
      severity,
      path: start.where,
      message: `flanneld was set up without netctl (${start.where}; ${start.more}): ${flagsText(start)}`,
      suggestion,
    };
  }
  for (const path of [layout.environmentFile, layout.startScript]) {
    if (path === null) continue;
    const text = fileText(answers, path);
    // A file that nobody asked for is none that netctl is about to write.
    if (!text.known || text.value === null || isWrittenByNetctl(text.value)) continue;
    yield {
      code: 'file-by-hand',
      severity,
      path,
      message: `${path} was written without netctl, which puts a file of its own there`,
      suggestion,
    };
  }
  yield* dockerByHand(scene, severity, suggestion);
};

function dockerService(input: PreflightInput): string {
  return `${input.inventory.docker.service ?? inventoryDefaults.docker.service}.service`;
}

function* dockerByHand(
  { answers, input }: NodeScene,
  severity: 'info' | 'error',
  suggestion: string | null,
): Generator<Problem> {
  const files = dockerUnitFiles(answers);
  const isOurs = files.some(({ path }) => path === dockerDefaults.dropIn);
  const path = input.inventory.docker.daemonJson ?? inventoryDefaults.docker.daemonJson;
  const text = fileText(answers, path);
  if (!text.known) yield notChecked(path, text.why);
  const file = text.known ? readDaemonJson(text.value) : undefined;
  if (file?.kind === 'object' && !isOurs) {
    const keys = daemonJsonKeys.filter((key) => file.values.has(key));
    if (keys.length > 0) {
      yield {
        code: 'docker-by-hand',
        severity,
        path,
        message: `${path} was given ${keys.map((key) => `"${key}": ${JSON.stringify(file.values.get(key))}`).join(', ')} without netctl, which writes these keys`,
        suggestion,
      };
    }
  }
  const unit = answers.units.known ? answers.units.value.get(dockerService(input)) : undefined;
  const command = dockerdCommand({
    files,
    environmentFiles: (unit?.environmentFiles ?? []).flatMap(({ path: file }) => {
      const found = fileText(answers, file);
      return found.known ? [{ path: file, text: found.value }] : [];
    }),
  });
  const owned: readonly string[] = daemonJsonKeys;
  const optionsFile = input.inventory.docker.optionsFile ?? inventoryDefaults.docker.optionsFile;
  const flags = command.flags.filter(({ setting, source: { variable } }) => {
    // With our drop-in it is us who keep the options file up to date, under whatever variable the unit had.
    const isWritten = variable?.name === dockerDefaults.variable || (isOurs && variable?.file === optionsFile);
    return owned.includes(setting) && !isWritten;
  });
  if (flags.length === 0) return;
  yield {
    code: 'docker-by-hand',
    severity,
    path: flags[0]?.source.variable?.file ?? flags[0]?.source.file ?? dockerService(input),
    message: `dockerd was given flannel’s options as flags without netctl: ${flags.map(flagPlace).join(', ')}`,
    suggestion,
  };
}
