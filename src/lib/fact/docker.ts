import { answerText, whyFailed } from './answer-text';
import { type Fact, type Known, known, shellCommand, unknown } from './fact';
import { countIn, fieldOf, flagIn, listOf, parseJsonAnswer, textIn, textsIn } from './json-answer';

/** Docker's release, from a text such as `28.1.1` or `20.10.24+dfsg1`. */
export interface DockerVersion {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
  readonly text: string;
}

export interface DockerProgram {
  /** Of the dockerd program on disk; null when there is none. It may differ from the one that runs. */
  readonly version: DockerVersion | null;
  readonly path: string | null;
  /** Does `dockerd --validate` exist? */
  readonly validates: boolean;
  readonly hasClient: boolean;
}

/** dockerd as it is installed, whether it runs or not. */
export const dockerProgram: Fact<DockerProgram> = {
  name: 'docker-program',
  command: {
    ...shellCommand(`command -v docker >/dev/null && echo client
p=$(command -v dockerd) || exit 0
echo "path $p"
"$p" --help 2>&1 | grep -q -e '--validate' && echo validates
"$p" --version`),
  },
  requires: { root: 'none', programs: [] },
  parse(output) {
    const lines = answerText(output.stdout).split('\n');
    const path = lines.find((line) => line.startsWith('path /'))?.slice(5) ?? null;
    const version = lines
      .map((line) => /^Docker version (\S{1,64}),/.exec(line)?.[1])
      .find((text) => text !== undefined);
    const parsed = version === undefined ? undefined : dockerVersionOf(version);
    if (path !== null && parsed === undefined) return whyFailed('dockerd --version', output);
    return known({
      version: parsed ?? null,
      path,
      validates: lines.includes('validates'),
      hasClient: lines.includes('client'),
    });
  },
};

export function dockerVersionOf(text: string): DockerVersion | undefined {
  const match = /^v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?([-+~][\w.+~-]{1,48})?$/.exec(text);
  if (match === null) return undefined;
  return { major: Number(match[1]), minor: Number(match[2]), patch: Number(match[3] ?? 0), text };
}

/** Is the release at least this one? `isDockerAtLeast(version, 28, 2)` */
export function isDockerAtLeast(version: DockerVersion, major: number, minor = 0, patch = 0): boolean {
  return (version.major - major || version.minor - minor || version.patch - patch) >= 0;
}

export interface DockerEngine {
  readonly version: DockerVersion;
  /** How it makes its rules. Before 29 there is nothing but iptables, and it does not say. */
  readonly firewallBackend: 'iptables' | 'nftables';
  /** Rules go through firewalld as well, and a reload of it makes Docker write them again. */
  readonly usesFirewalld: boolean;
  readonly isLiveRestore: boolean;
  readonly rootFolder: string | null;
  readonly isInSwarm: boolean;
  readonly containersRunning: number | null;
  readonly addressPools: readonly string[];
  readonly warnings: readonly string[];
}

/** `stopped` is known and no error: there is a client, and no daemon answers it. */
export type DockerState =
  | { readonly state: 'running'; readonly engine: DockerEngine }
  | { readonly state: 'stopped'; readonly why: string };

/** The daemon that runs. */
export const dockerState: Fact<DockerState> = {
  name: 'docker-state',
  command: { argv: ['docker', 'info', '-f', '{{json .}}'], maxOutputBytes: 256 * 1024, timeoutMs: 10_000 },
  requires: { root: 'all', programs: [['docker']] },
  parse(output): Known<DockerState> {
    if (output.code === 127) return unknown('docker is not installed');
    // The last line: older clients print warnings before it.
    const json = parseJsonAnswer(answerText(output.stdout).trim().split('\n').at(-1) ?? '');
    const versionText = textIn(json, 'ServerVersion');
    const version = versionText === undefined ? undefined : dockerVersionOf(versionText);
    if (version === undefined) {
      const why = textsIn(json, 'ServerErrors')[0] ?? answerText(output.stderr).trim().split('\n')[0] ?? '';
      if (/permission denied/i.test(why)) return unknown('docker: permission denied on its socket');
      if (/cannot connect|is the docker daemon running|no such file/i.test(why)) {
        return known({ state: 'stopped', why: why.slice(0, 200) });
      }
      return why === '' ? whyFailed('docker info', output) : unknown(`docker info: ${why.slice(0, 200)}`);
    }
    const driver = textIn(fieldOf(json, 'FirewallBackend'), 'Driver') ?? 'iptables';
    return known({
      state: 'running',
      engine: {
        version,
        firewallBackend: driver.startsWith('nftables') ? 'nftables' : 'iptables',
        usesFirewalld: driver.includes('firewalld'),
        isLiveRestore: flagIn(json, 'LiveRestoreEnabled') ?? false,
        rootFolder: pathOf(textIn(json, 'DockerRootDir')),
        isInSwarm: (textIn(fieldOf(json, 'Swarm'), 'LocalNodeState') ?? 'inactive') !== 'inactive',
        containersRunning: countIn(json, 'ContainersRunning') ?? null,
        addressPools: listOf(fieldOf(json, 'DefaultAddressPools')).flatMap((pool) => textIn(pool, 'Base') ?? []),
        warnings: textsIn(json, 'Warnings').map((line) => line.slice(0, 200)),
      },
    });
  },
};

function pathOf(text: string | undefined): string | null {
  return text?.startsWith('/') === true && text.length <= 4096 ? text : null;
}
