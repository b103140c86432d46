import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Inventory, InventoryNode } from '../../src/lib/inventory/inventory';
import { parseFlannelVersion } from '../../src/lib/net/flannel-version';
import { isWrittenByNetctl } from '../../src/lib/net/written-by-netctl';
import {
  type FlannelFiles,
  type FlannelFilesWish,
  flannelFiles,
  flannelFilesWish,
  flannelLayout,
} from '../../src/lib/plan/flannel-files';
import type { NodeFile } from '../../src/lib/plan/node-file';

const pem = (text: string): Buffer => Buffer.from(`-----BEGIN ${text}-----\n`);

/** host-gw 172.7.0.0/16, three endpoints with TLS, /opt/flannel, supervisord, healthz on 2401. */
const seed003: FlannelFilesWish = {
  family: 'rhel',
  service: 'supervisord',
  version: parseFlannelVersion('v0.11.0'),
  installDir: '/opt/flannel',
  dockerService: 'docker',
  logFile: '/data/logs/flanneld/flanneld.stdout.log',
  certificates: { ca: pem('CERTIFICATE'), cert: pem('CERTIFICATE'), key: pem('PRIVATE KEY') },
  flanneld: {
    endpoints: ['https://10.4.7.12:2379', 'https://10.4.7.21:2379', 'https://10.4.7.22:2379'],
    iface: ['eth0'],
    publicIP: '10.4.7.21',
    subnetFile: '/opt/flannel/subnet.env',
    healthzPort: 2401,
  },
};

/** systemd, /usr/bin, /etc/sysconfig/flanneld, 10.1.0.0/16. */
const seed000: FlannelFilesWish = {
  family: 'rhel',
  service: 'systemd',
  version: parseFlannelVersion('v0.17.0'),
  installDir: '/usr/bin',
  dockerService: 'docker',
  flanneld: { endpoints: ['http://20.0.40.51:2379'], iface: ['eth0'], publicIP: '20.0.40.52' },
};

function shown({ files, problems }: FlannelFiles): string {
  const parts = files.map((file) => {
    switch (file.kind) {
      case 'file': {
        const { path, mode, isSecret, content } = file;
        return `=== ${path} ${mode.toString(8).padStart(4, '0')}${isSecret ? ' secret' : ''}${file.onlyIfAbsent === true ? ' if absent' : ''}\n${String(content)}`;
      }
      case 'directory':
        return `=== ${file.path}/ ${file.mode.toString(8).padStart(4, '0')}\n`;
      case 'link':
        return `=== ${file.path} -> ${file.target}\n`;
      default:
        return file satisfies never;
    }
  });
  return [...parts, ...problems.map(({ severity, code, message }) => `${severity} ${code}: ${message}\n`)].join('');
}

const paths = (files: readonly NodeFile[]): readonly string[] => files.map(({ path }) => path);
const golden = (name: string): string => join(import.meta.dirname, 'golden', `${name}.txt`);

describe('the files of flannel on a node', () => {
  it.each<[string, FlannelFilesWish]>([
    ['flannel-003-v0.11.0', seed003],
    ['flannel-003-v0.28.9-debian', { ...seed003, family: 'debian', version: parseFlannelVersion('v0.28.9') }],
    ['flannel-000-v0.17.0', seed000],
    [
      'flannel-000-v0.28.9',
      { ...seed000, version: parseFlannelVersion('v0.28.9'), flanneld: { ...seed000.flanneld, ipMasq: true } },
    ],
    [
      'flannel-debian-v0.28.9-everything',
      {
        ...seed003,
        family: 'debian',
        service: 'systemd',
        version: parseFlannelVersion('v0.28.9'),
        flanneld: {
          ...seed003.flanneld,
          prefix: '/flannel-vxlan/network',
          user: 'flannel',
          password: 'p$a"s\\s`%w',
          iface: ['eth0', '10.4.7.21'],
          options: { 'iptables-resync': 10, 'iptables-forward-rules': false },
        },
      },
    ],
  ])('%s is as it was when it was read and found right', async (name, wish) => {
    const text = shown(flannelFiles(wish));
    expect(shown(flannelFiles(wish))).toBe(text);
    await expect(text).toMatchFileSnapshot(golden(name));
  });

  it('say whose they are, all that can', () => {
    for (const file of flannelFiles(seed003).files) {
      if (file.kind === 'file' && !file.path.endsWith('.pem'))
        expect(isWrittenByNetctl(String(file.content)), file.path).toBe(true);
    }
  });

  it('go into the folder of the release, never through the link that still leads to another', () => {
    const { files } = flannelFiles({ ...seed003, subnetEnv: 'FLANNEL_SUBNET=172.7.21.1/24\n' });
    const link = files.findIndex(({ kind }) => kind === 'link');
    expect(files[link]).toMatchObject({ path: '/opt/flannel', target: '/opt/flannel-v0.11.0' });
    for (const [index, { path }] of files.entries()) {
      expect(path.startsWith('/opt/flannel/'), path).toBe(false);
      // What runs through the link comes after it.
      if (path.startsWith('/etc/supervisord.d')) expect(index).toBeGreaterThan(link);
      else if (index !== link) expect(index).toBeLessThan(link);
    }
  });

  it('keep keys and passwords from others', () => {
    const { files } = flannelFiles({
      ...seed003,
      flanneld: { ...seed003.flanneld, user: 'flannel', password: 'geheim' },
    });
    for (const file of files) {
      if (file.kind !== 'file') continue;
      const hasSecret = String(file.content).includes('geheim') || file.path.endsWith('-key.pem');
      expect(file.isSecret, file.path).toBe(hasSecret);
      if (hasSecret) expect(file.mode).toBe(0o600);
    }
    expect(paths(files)).toContain('/etc/sysconfig/flanneld');
    expect(files.find(({ path }) => path.endsWith('/cert'))).toMatchObject({ kind: 'directory', mode: 0o700 });
    expect(files.filter((file) => file.kind === 'file' && String(file.content).includes('geheim'))).toHaveLength(1);
  });

  it('carry subnet.env to the next release, only where it would be lost', () => {
    const subnetEnv = 'FLANNEL_SUBNET=172.7.21.1/24\n';
    const { files } = flannelFiles({ ...seed003, subnetEnv });
    expect(files.find(({ path }) => path.endsWith('subnet.env'))).toMatchObject({
      path: '/opt/flannel-v0.11.0/subnet.env',
      onlyIfAbsent: true,
      content: subnetEnv,
    });
    expect(paths(flannelFiles({ ...seed000, subnetEnv }).files).join()).not.toContain('subnet.env');
    expect(paths(flannelFiles(seed003).files).join()).not.toContain('subnet.env');
  });

  it('put nothing of their own into a folder that others use', () => {
    const { files } = flannelFiles({
      ...seed003,
      installDir: '/usr/bin/',
      flanneld: { ...seed003.flanneld, subnetFile: '/run/flannel/subnet.env' },
    });
    expect(paths(files).filter((path) => path.startsWith('/usr/bin'))).toEqual([]);
    expect(paths(files)).toContain('/etc/flannel/cert/client-key.pem');
    expect(files.some(({ kind }) => kind === 'link')).toBe(false);
  });

  it('come with the errors of their flags', () => {
    const { problems } = flannelFiles({
      ...seed003,
      version: parseFlannelVersion('v0.28.9'),
      certificates: { ca: pem('CERTIFICATE') },
    });
    expect(problems.map(({ code }) => code)).toContain('flannel-ca-ignored');
  });
});

describe('the layout', () => {
  it('has a folder a release behind a link, and the certificates where the inventory says', () => {
    expect(flannelLayout({ ...seed003, certDir: '/opt/flannel/certs/' })).toMatchObject({
      folder: '/opt/flannel-v0.11.0',
      executable: '/opt/flannel/flanneld',
      programs: { flanneld: '/opt/flannel-v0.11.0/flanneld', mkDockerOpts: '/opt/flannel-v0.11.0/mk-docker-opts.sh' },
      certDir: '/opt/flannel/certs',
      certDirOnDisk: '/opt/flannel-v0.11.0/certs',
    });
    expect(flannelLayout({ ...seed003, certDir: '/opt/flannel-certs' }).certDirOnDisk).toBe('/opt/flannel-certs');
  });
});

describe('the wish of an inventory', () => {
  const node: InventoryNode = { name: 'hdss7-21', address: '10.4.7.21', publicIP: '10.4.7.21', ssh: {}, labels: [] };
  const inventory: Inventory = {
    file: '/x/netctl.yaml',
    etcd: { prefix: '/flannel-vxlan/network' },
    network: { avoid: [] },
    flannel: { etcd: {}, options: { v: 2 }, ipMasq: true },
    docker: {},
    ssh: {},
    nodes: [node],
    lines: new Map(),
  };
  const found = {
    family: 'debian',
    version: parseFlannelVersion('v0.28.9'),
    endpoints: ['http://10.4.7.12:2379'],
    iface: 'eth1',
  } as const;

  it('takes the defaults, and the interface that was found', () => {
    expect(flannelFilesWish(inventory, node, found)).toEqual({
      family: 'debian',
      service: 'systemd',
      version: found.version,
      installDir: '/opt/flannel',
      dockerService: 'docker',
      flanneld: {
        endpoints: found.endpoints,
        prefix: '/flannel-vxlan/network',
        iface: ['eth1'],
        publicIP: '10.4.7.21',
        ipMasq: true,
        options: { v: 2 },
      },
    });
  });

  it('points flanneld to the prefix that was read, which a flag of netctl may have named', () => {
    const prefixFor = (prefix: string) => flannelFilesWish(inventory, node, { ...found, prefix }).flanneld.prefix;
    expect(prefixFor('/blue/network')).toBe('/blue/network');
    expect(prefixFor('/coreos.com/network')).toBeUndefined();
  });

  it('chooses the interface in one place: the node, the section, what was found', () => {
    const choose = (flannel: Partial<Inventory['flannel']>, more: Partial<InventoryNode> = {}) => {
      const { iface, ifaceRegex, ifaceCanReach } = flannelFilesWish(
        { ...inventory, flannel: { ...inventory.flannel, ...flannel } },
        { ...node, ...more },
        found,
      ).flanneld;
      return { iface, ifaceRegex, ifaceCanReach };
    };
    expect(choose({ iface: 'eth2', ifaceRegex: '^10' }, { iface: 'eth3' })).toEqual({ iface: ['eth3'] });
    expect(choose({ ifaceRegex: '^10' })).toEqual({ ifaceRegex: ['^10'] });
    expect(choose({ ifaceCanReach: '10.4.7.12' })).toEqual({ ifaceCanReach: '10.4.7.12' });
    expect(choose({})).toEqual({ iface: ['eth1'] });
  });
});
