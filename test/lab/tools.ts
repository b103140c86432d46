import { exec, mustExec } from './exec';
import { LabError } from './lab-error';

/** Each program that the lab calls on this machine, and the Debian package that has it. */
const tools: Readonly<Record<string, string>> = {
  debootstrap: 'debootstrap',
  'systemd-nspawn': 'systemd-container',
  ip: 'iproute2',
  nsenter: 'util-linux',
  unshare: 'util-linux',
  flock: 'util-linux',
  mount: 'mount',
  ssh: 'openssh-client',
  'ssh-keygen': 'openssh-client',
  openssl: 'openssl',
  wget: 'wget',
};

/** Installs what the lab needs and this machine has not, with apt; elsewhere it throws LabError with the names. */
export async function installTools(report: (line: string) => void): Promise<void> {
  const found = await exec([
    'sh',
    '-c',
    'for t in "$@"; do command -v "$t" >/dev/null || echo "$t"; done',
    'sh',
    ...Object.keys(tools),
  ]);
  const missing = found.stdout.split('\n').filter((tool) => tool !== '');
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((tool) => tools[tool] ?? tool))];
  if ((await exec(['sh', '-c', 'command -v apt-get'])).code !== 0) {
    throw new LabError(`the lab needs ${missing.join(', ')}: install ${packages.join(' ')}`);
  }
  report(`installing ${packages.join(' ')} with apt-get, which the lab needs`);
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  const install = ['apt-get', 'install', '--yes', '--no-install-recommends', ...packages] as const;
  if ((await exec(install, { env, timeoutSeconds: 300 })).code === 0) return;
  await mustExec(['apt-get', 'update'], { timeoutSeconds: 300 });
  await mustExec(install, { env, timeoutSeconds: 300 });
}
