import { createHash } from 'node:crypto';
import { chmod, chown, copyFile, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { etcdCertificates } from './etcd-certificates';
import type { EtcdShape, HostShape, Shape } from './shape';
import { hostKeyFile, hostKeyTypes, sshAccess } from './ssh-access';

/** Writes what makes one host itself into its root file system, before its first boot. */
export async function writeHostFiles(shape: Shape, host: HostShape, root: string): Promise<void> {
  const at = (path: string) => join(root, path);
  await writeFile(at('etc/hostname'), `${host.name}\n`);
  await writeFile(at('etc/hosts'), hostsFile(shape));
  // Two labs of one id are one after the other, and the same hosts.
  await writeFile(at('etc/machine-id'), `${createHash('md5').update(`${shape.id} ${host.name}`).digest('hex')}\n`);
  await writeFile(at('etc/resolv.conf'), '# The lab has no name server.\n');

  for (const type of hostKeyTypes) {
    const from = hostKeyFile(shape.folder, host.name, type);
    await copyFile(from, at(`etc/ssh/ssh_host_${type}_key`));
    await copyFile(`${from}.pub`, at(`etc/ssh/ssh_host_${type}_key.pub`));
    await chmod(at(`etc/ssh/ssh_host_${type}_key`), 0o600);
  }
  const access = sshAccess(shape.folder);
  const keys = await Promise.all(
    [access.keyFile, access.encryptedKeyFile].map((file) => readFile(`${file}.pub`, 'utf8')),
  );
  const accounts = await readAccounts(root);
  for (const user of ['root', 'admin', 'ops']) {
    const { home, uid, gid } = accountOf(accounts, user);
    const folder = at(join(home, '.ssh'));
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writeFile(join(folder, 'authorized_keys'), keys.join(''), { mode: 0o600 });
    await chown(folder, uid, gid);
    await chown(join(folder, 'authorized_keys'), uid, gid);
  }

  if (host.iptables === 'legacy') await chooseLegacyIptables(root);
  if (host.rhelPaths) await mkdir(at('etc/sysconfig'), { recursive: true });
  if (host.docker !== 'running') await removeAll(at('etc/systemd/system'), dockerUnits);
  if (host.docker === 'absent') await removeAll(root, dockerPrograms);
  if (host.supervisor) await enable(root, 'supervisor.service');
  const member = shape.etcd?.members.find((candidate) => candidate.place === host.name);
  if (member !== undefined && shape.etcd !== null) {
    await writeEtcd(root, shape, shape.etcd, member.name, accountOf(accounts, 'etcd'));
  }
}

function hostsFile(shape: Shape): string {
  const hosts = shape.hosts.map(({ address, name }) => `${address} ${name}\n`);
  return `127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n${hosts.join('')}`;
}

const dockerUnits = [
  'multi-user.target.wants/docker.service',
  'multi-user.target.wants/containerd.service',
  'multi-user.target.wants/lab-image.service',
  'sockets.target.wants/docker.socket',
];
const dockerPrograms = [
  'usr/bin/docker',
  'usr/sbin/dockerd',
  'usr/bin/containerd',
  'usr/sbin/runc',
  'lib/systemd/system/docker.service',
  'lib/systemd/system/docker.socket',
  'lib/systemd/system/containerd.service',
  'etc/init.d/docker',
];

async function removeAll(root: string, paths: readonly string[]): Promise<void> {
  for (const path of paths) await rm(join(root, path), { force: true });
}

async function enable(root: string, unit: string): Promise<void> {
  await symlink(`/lib/systemd/system/${unit}`, join(root, 'etc/systemd/system/multi-user.target.wants', unit));
}

async function chooseLegacyIptables(root: string): Promise<void> {
  for (const family of ['iptables', 'ip6tables']) {
    for (const suffix of ['', '-save', '-restore']) {
      const link = join(root, 'etc/alternatives', `${family}${suffix}`);
      await rm(link, { force: true });
      await symlink(`/usr/sbin/${family}-legacy${suffix}`, link);
    }
  }
}

async function writeEtcd(root: string, shape: Shape, etcd: EtcdShape, name: string, account: Account): Promise<void> {
  const pki = join(root, 'etc/etcd/pki');
  await mkdir(pki, { recursive: true });
  if (etcd.tls) {
    const { caFile, serverCertFile, serverKeyFile } = etcdCertificates(shape.folder);
    for (const [from, to] of [
      [caFile, 'ca.pem'],
      [serverCertFile, 'server.pem'],
      [serverKeyFile, 'server-key.pem'],
    ] as const) {
      await copyFile(from, join(pki, to));
      await chown(join(pki, to), account.uid, account.gid);
    }
  }
  const settings = etcdSettings(shape, etcd, name, '/etc/etcd/pki', '/var/lib/etcd/default');
  await writeFile(
    join(root, 'etc/default/etcd'),
    Object.entries(settings)
      .map(([key, value]) => `${key}="${value}"\n`)
      .join(''),
  );
  await enable(root, 'etcd.service');
}

/** The environment that one member of the lab's etcd starts with. */
export function etcdSettings(
  shape: Shape,
  etcd: EtcdShape,
  name: string,
  pki: string,
  dataFolder: string,
): Readonly<Record<string, string>> {
  const scheme = etcd.tls ? 'https' : 'http';
  const address = etcd.members.find((member) => member.name === name)?.address ?? '';
  const settings = {
    ETCD_NAME: name,
    ETCD_DATA_DIR: dataFolder,
    ETCD_LISTEN_CLIENT_URLS: `${scheme}://${address}:2379,${scheme}://127.0.0.1:2379`,
    ETCD_ADVERTISE_CLIENT_URLS: `${scheme}://${address}:2379`,
    ETCD_LISTEN_PEER_URLS: `${scheme}://${address}:2380`,
    ETCD_INITIAL_ADVERTISE_PEER_URLS: `${scheme}://${address}:2380`,
    ETCD_INITIAL_CLUSTER: etcd.members.map((member) => `${member.name}=${scheme}://${member.address}:2380`).join(','),
    ETCD_INITIAL_CLUSTER_TOKEN: `lab-${shape.id}`,
    ETCD_INITIAL_CLUSTER_STATE: 'new',
    ETCD_ENABLE_V2: String(etcd.v2),
  };
  if (!etcd.tls) return settings;
  return {
    ...settings,
    ETCD_CERT_FILE: `${pki}/server.pem`,
    ETCD_KEY_FILE: `${pki}/server-key.pem`,
    ETCD_TRUSTED_CA_FILE: `${pki}/ca.pem`,
    ETCD_CLIENT_CERT_AUTH: 'true',
    ETCD_PEER_CERT_FILE: `${pki}/server.pem`,
    ETCD_PEER_KEY_FILE: `${pki}/server-key.pem`,
    ETCD_PEER_TRUSTED_CA_FILE: `${pki}/ca.pem`,
    ETCD_PEER_CLIENT_CERT_AUTH: 'true',
  };
}

interface Account {
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

async function readAccounts(root: string): Promise<ReadonlyMap<string, Account>> {
  const lines = (await readFile(join(root, 'etc/passwd'), 'utf8')).split('\n');
  return new Map(
    lines.map((line) => {
      const [name = '', , uid, gid, , home = '/'] = line.split(':');
      return [name, { uid: Number(uid), gid: Number(gid), home }];
    }),
  );
}

function accountOf(accounts: ReadonlyMap<string, Account>, name: string): Account {
  const account = accounts.get(name);
  if (account === undefined) throw new Error(`${name}: not in the base's passwd`);
  return account;
}
