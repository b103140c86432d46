import { answerText, whyFailed } from './answer-text';
import { type Fact, known, nothingElse, shellCommand, unknown } from './fact';

export interface Machine {
  /** `6.1.0-18-amd64` */
  readonly kernel: string;
  /** As `uname -m` says: `x86_64`, `aarch64`, … */
  readonly hardware: string;
  /** As flannel names its archives: `amd64`, `arm64`, …; null for one that flannel is not built for. */
  readonly architecture: string | null;
  readonly hostname: string;
  /** 32 hexadecimal digits; null when the machine has none. Two nodes with the same are clones of one image. */
  readonly machineId: string | null;
  /** Changes with every boot. */
  readonly bootId: string | null;
  readonly uptimeSeconds: number | null;
  /** `lxc`, `docker`, …: the node is a container itself; null for a machine, real or virtual. */
  readonly container: string | null;
}

/** `uname -m` to the name in flannel-vX-linux-ARCH.tar.gz. */
const architectures: Readonly<Record<string, string>> = {
  x86_64: 'amd64',
  amd64: 'amd64',
  aarch64: 'arm64',
  arm64: 'arm64',
  armv7l: 'arm',
  armv6l: 'arm',
  armv8l: 'arm',
  ppc64le: 'ppc64le',
  s390x: 's390x',
  mips64: 'mips64le',
  mips64le: 'mips64le',
  riscv64: 'riscv64',
};

export const machine: Fact<Machine> = {
  name: 'machine',
  command: shellCommand(
    `g() { l=$(cat "$1" 2>/dev/null); printf '%s\\n' "$l"; }
uname -r; uname -m; uname -n; g /etc/machine-id; g /proc/sys/kernel/random/boot_id; g /proc/uptime; g /run/systemd/container`,
  ),
  requires: nothingElse,
  parse(output) {
    const [kernel = '', hardware = '', hostname = '', machineId = '', bootId = '', uptime = '', container = ''] =
      answerText(output.stdout).split('\n');
    if (!/^[\w.+~-]{1,128}$/.test(kernel) || !/^\w{1,32}$/.test(hardware)) return whyFailed('uname', output);
    if (!/^[\w.-]{1,253}$/.test(hostname)) return unknown('uname -n gave no host name');
    const seconds = /^(\d{1,10})(?:\.\d+)? /.exec(uptime)?.[1];
    return known({
      kernel,
      hardware,
      architecture: Object.hasOwn(architectures, hardware) ? (architectures[hardware] ?? null) : null,
      hostname,
      machineId: /^[0-9a-f]{32}$/.test(machineId) ? machineId : null,
      bootId: /^[0-9a-f-]{36}$/.test(bootId) ? bootId : null,
      uptimeSeconds: seconds === undefined ? null : Number(seconds),
      container: /^[\w.-]{1,32}$/.test(container) ? container : null,
    });
  },
};
