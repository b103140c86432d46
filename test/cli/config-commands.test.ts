import { execFileSync, spawn } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { effectiveSettings } from '../../src/lib/cli/effective-settings';
import { type InitWish, initialInventory } from '../../src/lib/cli/init-inventory';
import { resolveEtcdSettings } from '../../src/lib/cli/settings';
import { validateInventory } from '../../src/lib/cli/validate-inventory';
import { writeTextFile } from '../../src/lib/cli/write-file';
import { parseInventory } from '../../src/lib/inventory/parse-inventory';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'netctl-config-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('config init', () => {
  const nothing: InitWish = { file: 'netctl.yaml', cwd: '/w', env: {}, etcd: {}, nodes: [], full: false };

  it('fills in what flags and environment say', () => {
    const text = initialInventory({
      ...nothing,
      file: 'prod/netctl.yaml',
      env: { ETCDCTL_CACERT: 'certs/ca.pem', NETCTL_USER: 'root', NETCTL_PASSWORD: 'hunter2' },
      etcd: { endpoints: '10.4.7.12:2379,10.4.7.21:2379', user: 'root', timeout: '2' },
      network: '172.7.0.0/16',
      backend: 'host-gw',
      flannel: 'v0.11.0',
      nodes: ['node21=10.4.7.21', 'node22'],
    });
    const inventory = parseInventory(text, '/w/prod/netctl.yaml');
    expect(inventory.etcd).toEqual({
      endpoints: ['https://10.4.7.12:2379', 'https://10.4.7.21:2379'],
      ca: '/w/certs/ca.pem',
      user: 'root',
      timeoutSeconds: 2,
    });
    expect(inventory.network).toMatchObject({ cidr: '172.7.0.0/16', backend: { type: 'host-gw' } });
    expect(inventory.nodes.map(({ name, address }) => [name, address])).toEqual([
      ['node21', '10.4.7.21'],
      ['node22', 'node22'],
    ]);
    expect(text).not.toContain('hunter2');
  });

  it('names the flag when a value cannot be meant', () => {
    expect(() => initialInventory({ ...nothing, network: '10.1.0.0', nodes: ['a=http://x'] })).toThrow(
      expect.objectContaining({
        code: 'inventory-invalid',
        details: [
          '--network: "10.1.0.0" is not an IPv4 range: ADDRESS/LENGTH with a length of 0 to 32; try 10.1.0.0/16',
          expect.stringMatching(/^--node: "http:\/\/x" is neither/),
        ],
      }),
    );
    expect(() => initialInventory({ ...nothing, nodes: ['=10.0.0.1'] })).toThrow(
      '--node: "=10.0.0.1" is not NAME=ADDRESS',
    );
  });
});

describe('writing the file', () => {
  it('makes it whole, with mode 0644 and nothing beside it', async () => {
    await writeTextFile(join(folder, 'a.yaml'), 'text', { mode: 0o644, force: false });
    expect(readFileSync(join(folder, 'a.yaml'), 'utf8')).toBe('text');
    expect(statSync(join(folder, 'a.yaml')).mode & 0o777).toBe(0o644);
    expect(readdirSync(folder)).toEqual(['a.yaml']);
  });

  it('leaves a file alone without force, and leaves nothing behind', async () => {
    writeFileSync(join(folder, 'a.yaml'), 'mine');
    const written = writeTextFile(join(folder, 'a.yaml'), 'text', { mode: 0o644, force: false });
    await expect(written).rejects.toMatchObject({ code: 'file-exists', exit: 3 });
    expect(readFileSync(join(folder, 'a.yaml'), 'utf8')).toBe('mine');
    expect(readdirSync(folder)).toEqual(['a.yaml']);
  });

  it('replaces it with force, through a symbolic link too', async () => {
    writeFileSync(join(folder, 'a.yaml'), 'mine');
    symlinkSync('a.yaml', join(folder, 'link.yaml'));
    await writeTextFile(join(folder, 'link.yaml'), 'text', { mode: 0o644, force: true });
    expect(readFileSync(join(folder, 'a.yaml'), 'utf8')).toBe('text');
    expect(readdirSync(folder).sort()).toEqual(['a.yaml', 'link.yaml']);
  });

  it('writes into a pipe with force, which stays a pipe', async () => {
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const reader = spawn('cat', [pipe], { stdio: ['ignore', 'pipe', 'inherit'] });
    const read = reader.stdout.setEncoding('utf8').toArray();
    await writeTextFile(pipe, ['some ', 'text'], { mode: 0o644, force: true });
    expect((await read).join('')).toBe('some text');
    expect(statSync(pipe).isFIFO()).toBe(true);
    await expect(writeTextFile(pipe, 'text', { mode: 0o644, force: false })).rejects.toMatchObject({
      code: 'file-exists',
    });
    expect(readdirSync(folder)).toEqual(['pipe']);
  });

  it('of two that write at once without force one wins', async () => {
    const file = join(folder, 'a.yaml');
    const outcomes = await Promise.allSettled(
      ['1', '2', '3', '4'].map((text) => writeTextFile(file, text, { mode: 0o644, force: false })),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(readdirSync(folder)).toEqual(['a.yaml']);
  });

  it('says why it cannot', async () => {
    mkdirSync(join(folder, 'directory'));
    const options = { mode: 0o644, force: true };
    await expect(writeTextFile(join(folder, 'no', 'a.yaml'), '', options)).rejects.toMatchObject({
      code: 'file-unwritable',
      exit: 2,
    });
    await expect(writeTextFile(join(folder, 'directory'), '', options)).rejects.toMatchObject({
      code: 'file-unwritable',
      exit: 2,
    });
  });
});

describe('config validate', () => {
  it("adds flanneld's verdict on the network, in the words and lines of the inventory", () => {
    const text = 'network:\n  cidr: 10.1.0.0/16\n  subnetLen: 17\n  backend: { type: vxlan }\n';
    const { valid, problems } = validateInventory(text, '/w/netctl.yaml', 'netctl.yaml');
    expect(valid).toBe(false);
    expect(problems.filter(({ severity }) => severity === 'error')).toMatchObject([
      { line: 3, path: 'network.subnetLen' },
    ]);
    expect(JSON.stringify(problems)).not.toMatch(/line \d+, column|"\\"SubnetLen/);
  });

  it('judges by the release that the nodes run', () => {
    const text = (version: string) =>
      `flannel: { version: ${version} }\nnetwork: { cidr: 10.1.0.0/16, backend: { type: wireguard } }\n`;
    expect(validateInventory(text('v0.28.9'), '/w/netctl.yaml', 'x').valid).toBe(true);
    expect(validateInventory(text('v0.11.0'), '/w/netctl.yaml', 'x').valid).toBe(false);
  });

  it('a warning does not make it invalid', () => {
    const result = validateInventory(
      'network: { cidr: 172.7.0.0/16, backend: { type: vxlan } }',
      '/w/netctl.yaml',
      'x',
    );
    expect(result.valid).toBe(true);
    expect(result.problems.map(({ code, severity, path }) => `${severity} ${code} ${path}`)).toContain(
      'warning public-addresses network.cidr',
    );
  });
});

describe('config show', () => {
  it('names value and source of every setting and hides the secrets', () => {
    const inventory = parseInventory(
      [
        'etcd: { endpoints: [http://a:1] }',
        'network:',
        '  cidr: 10.1.0.0/16',
        '  backend: { type: wireguard, options: { psk: hunter2, ListenPort: 51820 } }',
        'nodes:',
        '  - name: n1',
        '    address: 10.4.7.21',
        '    ssh: { user: admin }',
      ].join('\n'),
      '/w/netctl.yaml',
    );
    const env = { NETCTL_PASSWORD: 'hunter2', ETCDCTL_USER: 'root' };
    const settings = resolveEtcdSettings({ flags: { timeout: '2' }, env, inventory, inventoryName: 'netctl.yaml' });
    const rows = effectiveSettings(settings, inventory, 'netctl.yaml');
    const shown = Object.fromEntries(
      rows.map(({ setting, value, source }) => [setting, `${String(value)} (${source.name})`]),
    );
    expect(shown).toMatchObject({
      'etcd.endpoints': 'http://a:1 (netctl.yaml:1)',
      'etcd.prefix': '/coreos.com/network (default)',
      'etcd.user': 'root (ETCDCTL_USER)',
      'etcd.password': '(set, hidden) (NETCTL_PASSWORD)',
      'etcd.timeoutSeconds': '2 (--timeout)',
      'network.cidr': '10.1.0.0/16 (netctl.yaml:3)',
      'network.backend.options.psk': '(set, hidden) (netctl.yaml:4)',
      'network.backend.options.ListenPort': '51820 (netctl.yaml:4)',
      'docker.style': 'daemon-json (default)',
      'nodes[n1].address': '10.4.7.21 (netctl.yaml:7)',
      'nodes[n1].publicIP': '10.4.7.21 (its address)',
      'nodes[n1].ssh.user': 'admin (netctl.yaml:8)',
    });
    expect(JSON.stringify(rows)).not.toContain('hunter2');
  });
});
