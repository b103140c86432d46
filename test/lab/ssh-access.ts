import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mustExec } from './exec';
import type { Shape } from './shape';

/** How one gets into the lab's hosts by SSH: users `root`, `admin` (sudo without a password) and `ops` (sudo with one). */
export interface SshAccess {
  /** For `ssh -F`: host names, the key, the lab's known_hosts, and the jump host where there is one. */
  readonly configFile: string;
  readonly knownHostsFile: string;
  readonly hashedKnownHostsFile: string;
  /** Lets in as each of the three users. */
  readonly keyFile: string;
  /** As `keyFile`, behind `passphrase`. */
  readonly encryptedKeyFile: string;
  readonly passphrase: string;
  /** Of `ops`, for SSH and for sudo. */
  readonly opsPassword: string;
}

export function sshAccess(labFolder: string): SshAccess {
  const file = (name: string) => join(labFolder, 'ssh', name);
  return {
    configFile: file('config'),
    knownHostsFile: file('known_hosts'),
    hashedKnownHostsFile: file('known_hosts.hashed'),
    keyFile: file('id_ed25519'),
    encryptedKeyFile: file('id_encrypted'),
    passphrase: 'lab phrase',
    opsPassword: 'ops-secret',
  };
}

export const hostKeyTypes = ['ed25519', 'ecdsa'] as const;

/** Where a host's own key is made; it is copied into the host before its first boot. */
export function hostKeyFile(labFolder: string, host: string, type: (typeof hostKeyTypes)[number]): string {
  return join(labFolder, 'ssh', 'hosts', host, `ssh_host_${type}_key`);
}

export async function makeSshAccess(shape: Shape): Promise<void> {
  const access = sshAccess(shape.folder);
  await Promise.all([
    makeKey(access.keyFile, 'ed25519', `lab ${shape.id}`),
    makeKey(access.encryptedKeyFile, 'ed25519', `lab ${shape.id} encrypted`, access.passphrase),
    ...shape.hosts.map(async ({ name }) => {
      await mkdir(join(shape.folder, 'ssh', 'hosts', name), { recursive: true });
      await Promise.all(
        hostKeyTypes.map((type) => makeKey(hostKeyFile(shape.folder, name, type), type, `root@${name}`)),
      );
    }),
  ]);
  await writeFile(access.knownHostsFile, await knownHosts(shape));
  await writeFile(access.hashedKnownHostsFile, await knownHosts(shape));
  await mustExec(['ssh-keygen', '-q', '-H', '-f', access.hashedKnownHostsFile]);
  await writeFile(access.configFile, sshConfig(shape, access));
}

async function makeKey(file: string, type: string, comment: string, passphrase = ''): Promise<void> {
  await mustExec(['ssh-keygen', '-q', '-t', type, '-N', passphrase, '-C', comment, '-f', file]);
}

async function knownHosts(shape: Shape): Promise<string> {
  const lines: string[] = [];
  for (const { name, nics } of shape.hosts) {
    for (const type of hostKeyTypes) {
      const [kind, key] = (await readFile(`${hostKeyFile(shape.folder, name, type)}.pub`, 'utf8')).split(' ');
      lines.push(`${[name, ...nics.map((nic) => nic.address)].join(',')} ${kind} ${key}\n`);
    }
  }
  return lines.join('');
}

function sshConfig(shape: Shape, access: SshAccess): string {
  const lines: string[] = [`# Lab ${shape.id}: ssh -F ${access.configFile} node1`];
  for (const { name, address, segment } of shape.hosts) {
    lines.push(`Host ${name}`, `  HostName ${address}`);
    if (shape.jump && segment !== 1) lines.push('  ProxyJump jump');
  }
  lines.push(
    'Host *',
    '  User root',
    `  IdentityFile ${access.keyFile}`,
    '  IdentitiesOnly yes',
    `  UserKnownHostsFile ${access.knownHostsFile}`,
    '  GlobalKnownHostsFile /dev/null',
    '  StrictHostKeyChecking yes',
  );
  return `${lines.join('\n')}\n`;
}
