import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { root } from '../support/built';
import { whyNoLab } from './base';
import type { Lab } from './lab';
import { flannelArchive, netctlOn } from './netctl';
import type { LabOptions } from './shape';
import { startLab } from './start-lab';

const reason = await whyNoLab();
if (reason !== undefined) console.error(`\n*** THE LAB JOURNEYS DO NOT RUN: ${reason} ***\n`);

/*
 * The pages of docs/guides, run as they stand on machines with the articles' addresses: `$ ` is the administrator's shell,
 * `NAME# ` root's on the node of that name; standard output is compared. The page's first ```yaml netctl.yaml is the inventory.
 * NETCTL_WRITE_GUIDES=1 writes what was printed into the pages instead.
 */
interface Guide {
  readonly flannel: string;
  readonly lab: LabOptions;
  /** The page's names of hosts. */
  readonly hosts: Readonly<Record<string, string>>;
  readonly prepare?: (lab: Lab) => Promise<void>;
}

const guides: Readonly<Record<string, Guide>> = {
  'host-gw.md': {
    flannel: 'v0.11.0',
    lab: {
      segments: [{ network: '10.4.7.0/24' }],
      hosts: [{ address: '10.4.7.21' }, { address: '10.4.7.22' }],
      supervisor: true,
      etcd: { members: ['lan', 'node1', 'node2'], v2: true },
    },
    hosts: { 'hdss7-21': 'node1', 'hdss7-22': 'node2' },
  },
  'masquerade.md': {
    flannel: 'v0.11.0',
    lab: {
      segments: [{ network: '10.4.7.0/24' }],
      hosts: [{ address: '10.4.7.21' }, { address: '10.4.7.22' }],
      supervisor: true,
      etcd: { members: ['lan', 'node1', 'node2'], v2: true },
    },
    hosts: { 'hdss7-21': 'node1', 'hdss7-22': 'node2' },
  },
  'vxlan.md': {
    flannel: 'v0.9.1',
    lab: {
      segments: [{ network: '172.16.70.0/24' }],
      hosts: [
        { name: 'server1', address: '172.16.70.190', docker: 'absent' },
        { name: 'docker1', address: '172.16.70.191' },
        { name: 'docker2', address: '172.16.70.192' },
      ],
      etcd: { members: ['server1'], tls: false, v2: true },
    },
    hosts: { docker1: 'docker1', docker2: 'docker2' },
    prepare: async (lab) => {
      for (const [name, net] of [
        ['docker1', '10.0.65'],
        ['docker2', '10.0.32'],
      ] as const) {
        await lab
          .host(name)
          .must(
            `sed -i 's|^ExecStart=.*|ExecStart=/usr/sbin/dockerd --bip=${net}.1/24 --ip-masq=false --mtu=1500 -H fd:// --containerd=/run/containerd/containerd.sock|' /lib/systemd/system/docker.service && systemctl daemon-reload && systemctl restart docker`,
          );
      }
    },
  },
  'first-overlay.md': {
    flannel: 'v0.11.0',
    lab: {
      segments: [{ network: '20.0.40.0/24' }],
      hosts: [
        { name: 'etcd1', address: '20.0.40.51', docker: 'absent' },
        { name: 'minion1', address: '20.0.40.52' },
        { name: 'minion2', address: '20.0.40.53' },
      ],
      rhelPaths: true,
      etcd: { members: ['etcd1'], tls: false, v2: true },
    },
    hosts: { minion1: 'minion1', minion2: 'minion2' },
    prepare: callThemCentos,
  },
  'kubernetes-book.md': {
    flannel: 'v0.11.0',
    lab: {
      segments: [{ network: '192.168.21.0/24' }],
      hosts: [
        { name: 'master', address: '192.168.21.135' },
        { name: 'node1', address: '192.168.21.136' },
        { name: 'node2', address: '192.168.21.137' },
      ],
      rhelPaths: true,
      etcd: { members: ['master'], tls: false, v2: true },
    },
    hosts: { master: 'master', node1: 'node1', node2: 'node2' },
    prepare: callThemCentos,
  },
};

/** The lab's hosts are Debian's: netctl goes by what a machine calls itself. */
async function callThemCentos(lab: Lab): Promise<void> {
  await Promise.all(
    lab.hosts.map((host) =>
      host.must(
        `rm /etc/os-release; printf 'ID="centos"\\nID_LIKE="rhel fedora"\\nVERSION_ID="7"\\n' >/etc/os-release`,
      ),
    ),
  );
}

const consoleFence = /(```console\n)([\s\S]*?)(```)/g;

describe.skipIf(reason !== undefined)('the guides', () => {
  let lab: Lab | undefined;
  afterEach(() => lab?.stop());

  test.for(Object.keys(guides))('docs/guides/%s prints what it says', async (name) => {
    const guide = guides[name];
    if (guide === undefined) throw new Error(name);
    const file = join(root, 'docs/guides', name);
    const page = await readFile(file, 'utf8');
    lab = await startLab({ workstation: 'namespace', ...guide.lab });
    await guide.prepare?.(lab);
    const netctl = await netctlOn(lab, {});
    await settleIn(lab, netctl.folder, await flannelArchive(guide.flannel));
    await writeFile(join(netctl.folder, 'netctl.yaml'), /```yaml netctl\.yaml\n([\s\S]*?)```/.exec(page)?.[1] ?? '');

    const run = async (prompt: string, command: string): Promise<string> => {
      if (prompt === '$') return (await netctl.shell(command)).stdout;
      const host = guide.hosts[prompt.slice(0, -1)];
      if (host === undefined || lab === undefined) throw new Error(`${name}: no host for ${prompt}`);
      return (await lab.host(host).run(command)).stdout;
    };
    let written = '';
    let from = 0;
    for (const match of page.matchAll(consoleFence)) {
      const [all, open = '', block = '', close = ''] = match;
      written += page.slice(from, match.index) + open;
      from = match.index + all.length;
      for (const [, prompt = '', command = ''] of block.matchAll(/^(\$|[a-z0-9-]+#) (.*)$/gm)) {
        written += `${prompt} ${command}\n${(await run(prompt, command)).replace(/[ \t]+$/gm, '')}`;
      }
      written += close;
    }
    written += page.slice(from);
    if (process.env['NETCTL_WRITE_GUIDES'] === '1') await writeFile(file, written);
    else expect(settled(written)).toBe(settled(page));
  });
});

/** What an administrator has at home: a key, known hosts, certificates, the release. */
async function settleIn(lab: Lab, folder: string, archive: string): Promise<void> {
  await mkdir(join(folder, 'ssh'), { mode: 0o700 });
  await copyFile(lab.ssh.keyFile, join(folder, 'ssh/id_ed25519'));
  await copyFile(lab.ssh.knownHostsFile, join(folder, 'ssh/known_hosts'));
  await copyFile(archive, join(folder, basename(archive)));
  const certificates = lab.etcd?.certificates;
  if (certificates === null || certificates === undefined) return;
  await mkdir(join(folder, 'certs'));
  await copyFile(certificates.caFile, join(folder, 'certs/ca.pem'));
  await copyFile(certificates.clientCertFile, join(folder, 'certs/client.pem'));
  await copyFile(certificates.clientKeyFile, join(folder, 'certs/client-key.pem'));
}

/** What may differ from run to run: etcd's count of writes, and which address of its subnet Docker gives a container. */
function settled(text: string): string {
  return text.replace(/revision \d+/g, 'revision 8').replace(/^(172\.7\.21|10\.0\.65)\.\d+$/gm, '$1.2');
}
