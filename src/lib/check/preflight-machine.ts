import type { KernelModules, ModuleState } from '../fact/kernel-modules';
import { reversePathFilter } from '../fact/kernel-settings';
import { machineOf } from '../net/flannel-archive';
import { isAtLeast } from '../net/flannel-version';
import type { Problem } from '../net/problem';
import { addressesOf, isOwnLink } from './preflight-interface';
import { installCommand, type NodeCheck, type NodeScene, notChecked } from './preflight-scene';

export const privileges: NodeCheck = function* ({ answers }) {
  const { privileges: found } = answers;
  if (!found.known) {
    yield notChecked('the rights of the account', found.why);
    return;
  }
  const { isRoot, user, sudo } = found.value;
  if (isRoot) return;
  const mend = {
    absent: 'Log in as root (ssh.user: root), or install sudo on the node and let the account use it.',
    'no-password': 'Let netctl use it: ssh.sudo: nopasswd in netctl.yaml',
    asks: 'Let netctl use it, and give the password when it asks: ssh.sudo: password in netctl.yaml',
    'not-needed': null,
  };
  yield {
    code: 'preflight-not-root',
    severity: 'error',
    path: 'privileges',
    message: `the account ${user} is not root${sudo === 'absent' ? ', and there is no sudo' : ', and sudo is not used'}: files in /etc, services and routes are root’s`,
    suggestion: mend[sudo],
  };
};

/** What bootstrap calls beside a shell and coreutils, with the packages that bring it. */
const needed: readonly {
  readonly program: string;
  readonly debian: string;
  readonly rhel: string;
  readonly severity: Problem['severity'];
  readonly why: string;
}[] = [
  {
    program: 'ip',
    debian: 'iproute2',
    rhel: 'iproute',
    severity: 'error',
    why: 'links and routes are looked at with it',
  },
  {
    program: 'sha256sum',
    debian: 'coreutils',
    rhel: 'coreutils',
    severity: 'error',
    why: 'what is copied is compared with it',
  },
  {
    program: 'gzip',
    debian: 'gzip',
    rhel: 'gzip',
    severity: 'warning',
    why: 'without it programs are copied uncompressed',
  },
  {
    program: 'ping',
    debian: 'iputils-ping',
    rhel: 'iputils',
    severity: 'warning',
    why: 'the peers are tried with it at the end',
  },
];

export const programs: NodeCheck = function* (scene) {
  const { programs: found } = scene.answers;
  if (!found.known) {
    yield notChecked('the programs of the node', found.why);
    return;
  }
  for (const { program, debian, rhel, severity, why } of needed) {
    if (found.value.has(program)) continue;
    yield {
      code: 'program-missing',
      severity,
      path: program,
      message: `${program} is not there: ${why}`,
      suggestion: installCommand(scene, debian, rhel),
    };
  }
};

/** First releases for machines that did not always have one. */
const buildsSince: Readonly<Record<string, string>> = { mips64le: 'v0.16.2', riscv64: 'v0.24.0' };

export const architecture: NodeCheck = function* ({ answers, input, backend }) {
  const { machine } = answers;
  if (!machine.known) {
    yield notChecked('the architecture', machine.why);
    return;
  }
  const { hardware } = machine.value;
  const wanted = machineOf(hardware);
  const { version, archives } = input;
  if (wanted === undefined) {
    yield {
      code: 'architecture-unsupported',
      severity: 'error',
      path: 'uname -m',
      message: `${hardware} is a machine that flannel has no release for`,
      suggestion: 'Leave this node out, or build flanneld for it by hand.',
    };
    return;
  }
  const fitting = archives.some((archive) => archive.machine === null || archive.machine === wanted);
  const since = buildsSince[wanted];
  if (archives.length > 0 && !fitting) {
    const others = archives.map(({ name, machine: of }) => `${name} is for ${of ?? 'all'}`);
    yield {
      code: 'architecture-no-archive',
      severity: 'error',
      path: 'uname -m',
      message: `${hardware} needs another archive: ${others.join(', ')}`,
      suggestion: `Leave flannel.archive out and give flannel.version: ${version.tag}; the archive for each machine is then fetched.`,
    };
  } else if (archives.length === 0 && since !== undefined && !isAtLeast(version, since)) {
    yield {
      code: 'architecture-unsupported',
      severity: 'error',
      path: 'uname -m',
      message: `${hardware} has no release of flannel ${version.tag}: the first is ${since}`,
      suggestion: `flannel.version: ${since} or later`,
    };
  }
  if (backend?.type === 'udp' && wanted !== 'x86_64' && isAtLeast(version, 'v0.10.0')) {
    yield {
      code: 'udp-needs-amd64',
      severity: 'error',
      path: 'Backend.Type',
      message: `${hardware} has no udp backend: from v0.10.0 flannel builds it for amd64 only`,
      suggestion: '--backend vxlan',
    };
  }
};

/** Kernels in which a backend first works. A module from elsewhere may bring it to older ones. */
const kernelFloors: Readonly<
  Record<string, { readonly major: number; readonly minor: number; readonly ipv6Minor?: number }>
> = {
  vxlan: { major: 3, minor: 7, ipv6Minor: 12 },
  wireguard: { major: 5, minor: 6 },
};

export const kernelVersion: NodeCheck = function* ({ answers, input, backend }) {
  const { machine, modules } = answers;
  const floor = backend === null ? undefined : kernelFloors[backend.type];
  if (backend === null || floor === undefined) return;
  if (!machine.known) {
    yield notChecked('the kernel’s version', machine.why);
    return;
  }
  const match = /^(\d{1,4})\.(\d{1,4})/.exec(machine.value.kernel);
  if (match === null) {
    yield notChecked('the kernel’s version', `${machine.value.kernel} does not begin with a number`);
    return;
  }
  const [major, minor] = [Number(match[1]), Number(match[2])];
  const least = input.effective?.enableIPv6 === true ? (floor.ipv6Minor ?? floor.minor) : floor.minor;
  if (major > floor.major || (major === floor.major && minor >= least)) return;
  const state = modules.known ? modules.value.states.get(backend.type) : undefined;
  if (state === 'loaded' || state === 'loadable') return;
  yield {
    code: 'kernel-too-old',
    severity: 'error',
    path: 'uname -r',
    message: `kernel ${machine.value.kernel} is too old for the ${backend.type} backend, which needs ${floor.major}.${least}`,
    suggestion:
      backend.type === 'wireguard'
        ? 'Install a newer kernel or the wireguard module (package wireguard-dkms), or take --backend vxlan.'
        : 'Install a newer kernel, or take --backend host-gw where all nodes are on one segment.',
  };
};

const moduleOfBackend: Readonly<Record<string, string>> = {
  vxlan: 'vxlan',
  ipip: 'ipip',
  wireguard: 'wireguard',
  udp: 'tun',
};

interface Needed {
  readonly name: string;
  readonly severity: 'error' | 'warning';
  readonly why: string;
}

function neededModules({ input, backend }: NodeScene): readonly Needed[] {
  const { version, effective } = input;
  const modules: Needed[] = [];
  const ofBackend = backend === null ? undefined : moduleOfBackend[backend.type];
  if (backend !== null && ofBackend !== undefined) {
    modules.push({ name: ofBackend, severity: 'error', why: `the ${backend.type} backend is made of it` });
  }
  const usesNftables = effective?.enableNFTables === true && isAtLeast(version, 'v0.25.0');
  if (isAtLeast(version, 'v0.26.0') && !(usesNftables && isAtLeast(version, 'v0.28.0'))) {
    modules.push({
      name: 'br_netfilter',
      severity: 'error',
      why: `flanneld ${version.tag} ends with exit code 1 without it`,
    });
  } else if (!usesNftables) {
    modules.push({
      name: 'br_netfilter',
      severity: 'warning',
      why: 'without it iptables rules do not see the traffic of a bridge',
    });
  }
  if (usesNftables) {
    modules.push({ name: 'nf_tables', severity: 'error', why: 'the config has EnableNFTables' });
  }
  return [
    ...modules,
    { name: 'bridge', severity: 'error', why: 'docker0 is a bridge' },
    { name: 'veth', severity: 'error', why: 'containers are plugged in with it' },
    { name: 'overlay', severity: 'warning', why: 'Docker keeps images with it, and slowly without' },
  ];
}

/** What the node shows beside the list of modules: a device of the kind, or the setting that flanneld itself looks at. */
function isAtWork(name: string, { answers }: NodeScene): boolean {
  if (name === 'br_netfilter')
    return answers.settings.known && answers.settings.value.has('net/bridge/bridge-nf-call-iptables');
  return answers.links.known && answers.links.value.some(({ kind }) => kind === name);
}

export const kernelModules: NodeCheck = function* (scene) {
  const { modules, machine } = scene.answers;
  const wanted = neededModules(scene).filter(({ name }) => !isAtWork(name, scene));
  if (!modules.known) {
    yield notChecked(`kernel modules (${wanted.map(({ name }) => name).join(', ')})`, modules.why);
    return;
  }
  const kernel = machine.known ? machine.value.kernel : '$(uname -r)';
  const isContainer = machine.known && machine.value.container !== null;
  for (const { name, severity, why } of wanted) {
    const found = moduleFinding(modules.value, modules.value.states.get(name) ?? 'unclear', isContainer);
    switch (found) {
      case 'fine':
        break;
      case 'missing':
        yield {
          code: 'kernel-module-missing',
          severity,
          path: name,
          message: `kernel module ${name} is not there, neither loaded nor in /lib/modules/${kernel}: ${why}`,
          suggestion: packageOf(scene, name),
        };
        break;
      case 'gone':
        yield {
          code: 'kernel-modules-gone',
          severity,
          path: name,
          message: `kernel module ${name} cannot be loaded: /lib/modules/${kernel} is not there, as after an upgrade of the kernel; ${why}`,
          suggestion: 'Boot the node into its new kernel: systemctl reboot',
        };
        break;
      case 'unclear':
        yield {
          code: 'kernel-module-unclear',
          severity: 'warning',
          path: name,
          message: `kernel module ${name} may be there or not: the node ${isContainer ? 'is a container and ' : ''}does not tell; ${why}`,
          suggestion: isContainer
            ? `Load it on the machine that carries the container: modprobe ${name}`
            : `Try it on the node: modprobe ${name}`,
        };
        break;
      default:
        found satisfies never;
    }
  }
};

function moduleFinding(
  { hasModulesFolder }: KernelModules,
  state: ModuleState,
  isContainer: boolean,
): 'fine' | 'missing' | 'gone' | 'unclear' {
  if (state === 'loaded' || state === 'loadable') return 'fine';
  if (state === 'absent') return 'missing';
  return hasModulesFolder || isContainer ? 'unclear' : 'gone';
}

function packageOf(scene: NodeScene, name: string): string {
  const { operatingSystem } = scene.answers;
  const id = operatingSystem.known ? operatingSystem.value.id : '';
  const kernelPackage = (() => {
    if (id === 'ubuntu') return 'apt install linux-modules-extra-$(uname -r)';
    if (id === 'raspbian') return 'apt install linux-modules-extra-raspi';
    if (operatingSystem.known && operatingSystem.value.family === 'rhel') return 'dnf install kernel-modules-extra';
    return 'apt install linux-image-$(dpkg --print-architecture)';
  })();
  const another = name === 'vxlan' ? ', or take --backend host-gw where all nodes are on one segment' : '';
  return `${kernelPackage}, then boot into that kernel${another}`;
}

export const ipForward: NodeCheck = function* ({ answers, input, choice }) {
  const { settings } = answers;
  if (!settings.known) {
    yield notChecked('net.ipv4.ip_forward', settings.why);
    return;
  }
  const forward = settings.value.get('net/ipv4/ip_forward');
  if (forward === undefined) {
    yield notChecked('net.ipv4.ip_forward', 'the kernel does not tell it');
  } else if (forward !== '1') {
    yield {
      code: 'ip-forward-off',
      severity: 'info',
      path: 'net.ipv4.ip_forward',
      message: `net.ipv4.ip_forward is ${forward}: packets between containers of two nodes are not passed on; bootstrap sets it to 1`,
      suggestion: null,
    };
  } else if (choice.kind === 'chosen' && settings.value.get(`net/ipv4/conf/${choice.iface}/forwarding`) === '0') {
    // Setting ip_forward to the 1 that it has already does not reach the interfaces.
    yield {
      code: 'ip-forward-off-on-interface',
      severity: 'warning',
      path: `net.ipv4.conf.${choice.iface}.forwarding`,
      message: `net.ipv4.conf.${choice.iface}.forwarding is 0 although ip_forward is 1: what comes in by ${choice.iface} is not passed on to containers`,
      suggestion: `sysctl -w net/ipv4/conf/${choice.iface}/forwarding=1`,
    };
  }
  if (input.effective?.enableIPv6 === true && settings.value.get('net/ipv6/conf/all/disable_ipv6') === '1') {
    yield {
      code: 'ipv6-off',
      severity: 'error',
      path: 'net.ipv6.conf.all.disable_ipv6',
      message: 'net.ipv6.conf.all.disable_ipv6 is 1, and the network config has EnableIPv6',
      suggestion: 'sysctl -w net.ipv6.conf.all.disable_ipv6=0',
    };
  }
};

export const rpFilter: NodeCheck = function* ({ answers, choice, backend }) {
  const { settings, links } = answers;
  if (!settings.known) {
    yield notChecked('rp_filter', settings.why);
    return;
  }
  if (choice.kind !== 'chosen') return;
  const filter = reversePathFilter(settings.value, choice.iface);
  if (filter === null) {
    yield notChecked('rp_filter', `the kernel does not tell it for ${choice.iface}`);
    return;
  }
  if (filter !== 1) return;
  // Answers come another way only where there is one.
  const others = links.known
    ? links.value.filter((link) => isOwnLink(link) && link.name !== choice.iface && addressesOf(link).length > 0)
    : [];
  const isMixed = backend?.options['DirectRouting'] === true;
  if (others.length === 0 && !isMixed) return;
  yield {
    code: 'rp-filter-strict',
    severity: 'warning',
    path: `net.ipv4.conf.${choice.iface}.rp_filter`,
    message: `rp_filter is strict (1) on ${choice.iface}: packets are dropped when the way back leads elsewhere, which ${isMixed ? 'DirectRouting makes likely' : `${others.map(({ name }) => name).join(', ')} may`}`,
    suggestion: `sysctl -w net/ipv4/conf/${choice.iface}/rp_filter=2 net/ipv4/conf/all/rp_filter=2`,
  };
};

export const selinux: NodeCheck = function* ({ answers, layout }) {
  const { selinux: found } = answers;
  if (!found.known) {
    yield notChecked('SELinux', found.why);
    return;
  }
  if (found.value !== 'enforcing') return;
  yield {
    code: 'selinux-enforcing',
    severity: 'info',
    path: 'selinux',
    message: `SELinux is enforcing: systemd may run ${layout.executable} only when the file is labelled as a program (bin_t)`,
    suggestion: `semanage fcontext -a -t bin_t '${layout.folder}/flanneld' && restorecon -v ${layout.folder}/flanneld`,
  };
};

const mebibyte = 1024 * 1024;
/** What is written beside the programs: the old release stays, files are written next to the ones that they replace. */
const spareBytes = 16 * mebibyte;
const usualProgramBytes = 64 * mebibyte;
const dockerBytes = 512 * mebibyte;

export const space: NodeCheck = function* ({ answers, input, layout }) {
  const { spaces, machine, sums, docker } = answers;
  if (!spaces.known) {
    yield notChecked('the room on the node', spaces.why);
    return;
  }
  const wanted = machine.known ? machineOf(machine.value.hardware) : undefined;
  const archive = input.archives.find(({ machine: of }) => of === null || of === wanted);
  const sum = sums.known ? sums.value.get(layout.programs.flanneld) : undefined;
  const program = archive?.members.find(({ name }) => name === 'flanneld');
  const isThere =
    sum?.known === true && sum.value.present && program !== undefined && sum.value.sha256 === program.sha256;
  const programBytes = archive?.members.reduce((total, { bytes }) => total + bytes, 0) ?? usualProgramBytes;
  const dockerRoot =
    docker.known && docker.value.state === 'running'
      ? (docker.value.engine.rootFolder ?? '/var/lib/docker')
      : '/var/lib/docker';
  const roles = [
    {
      what: 'flannel’s programs',
      paths: [layout.folder, input.inventory.flannel.installDir ?? '/opt/flannel', '/opt'],
      bytes: isThere ? mebibyte : programBytes + spareBytes,
      severity: 'error',
      runs: true,
    },
    { what: 'settings and units', paths: ['/etc'], bytes: mebibyte, severity: 'error', runs: false },
    {
      what: 'Docker',
      paths: [dockerRoot, '/var/lib/docker'],
      bytes: dockerBytes,
      severity: 'warning',
      runs: false,
    },
  ] as const;
  for (const { what, paths, bytes, severity, runs } of roles) {
    const found = paths.map((path) => spaces.value.get(path)).find((each) => each !== undefined);
    if (found === undefined) {
      yield notChecked(`the room for ${what}`, `${paths[0]} was not asked for`);
      continue;
    }
    const { folder, mountPoint, availableBytes, availableInodes, isReadOnly, isNoexec } = found;
    if (isReadOnly === true) {
      yield {
        code: 'space-read-only',
        severity,
        path: mountPoint,
        message: `${folder} lies on ${mountPoint}, which is mounted read-only: ${what} cannot be written`,
        suggestion: `mount -o remount,rw ${mountPoint}`,
      };
    } else if (availableBytes < bytes || (availableInodes !== null && availableInodes < 100)) {
      const room =
        availableBytes < bytes
          ? `${Math.floor(availableBytes / mebibyte)} MiB free on ${mountPoint}, ${Math.ceil(bytes / mebibyte)} MiB are needed`
          : `${availableInodes} files can still be made on ${mountPoint}`;
      yield {
        code: 'space-low',
        severity,
        path: mountPoint,
        message: `${folder} has no room for ${what}: ${room}`,
        suggestion: `Look what takes it: du -xh --max-depth=1 ${mountPoint}`,
      };
    }
    if (runs && isNoexec === true) {
      yield {
        code: 'space-noexec',
        severity: 'error',
        path: mountPoint,
        message: `${folder} lies on ${mountPoint}, from which no program may be run (noexec): flanneld would not start`,
        suggestion: 'flannel.installDir: /usr/bin, or another folder from which programs may be run',
      };
    }
  }
};
