import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cliFor } from '../support/cli';
import { type Etcd, startEtcd } from '../support/etcd';

/** What goes wrong before a machine is touched; the rest is proved on real hosts (test/lab). */
describe('netctl node bootstrap, given what cannot be done', () => {
  let etcd: Etcd;
  let cli: ReturnType<typeof cliFor>;
  let config: string;
  const inventory = (flannel: string): void => {
    // Nothing listens at this address.
    writeFileSync(
      config,
      `flannel: { version: v0.28.9${flannel} }\nnodes:\n  - { name: n1, address: 127.0.0.9, ssh: { port: 1 } }\n`,
    );
  };
  const bootstrap = (...words: readonly string[]) => cli.netctl(['node', 'bootstrap', '--config', config, ...words]);

  beforeAll(async () => {
    etcd = await startEtcd();
    cli = cliFor({ NETCTL_ENDPOINTS: etcd.endpoints[0] });
    config = join(cli.home, 'netctl.yaml');
    inventory('');
  });
  afterAll(async () => {
    cli.remove();
    await etcd.stop();
  });

  it('refuses without a network', async () => {
    const run = await bootstrap('--all', '--yes');
    expect(run).toMatchObject({ status: 2, stdout: '' });
    expect(run.stderr).toContain('(no-config;');
    await cli.netctl(['init-network', '10.1.0.0/16', '--backend', 'host-gw']);
  });

  it.each([
    ['no node', [], 'no-nodes'],
    ['a node that the inventory does not have', ['nope'], 'unknown-node'],
    ['a pattern that leaves none', ['--all', '--limit', 'zzz'], 'no-nodes-left'],
    ['a check that there is not', ['--all', '--skip-check', 'nonsense'], 'bad-value'],
    ['nobody at a time', ['--all', '--serial', '0'], 'bad-value'],
  ])('refuses %s', async (_, words, code) => {
    const run = await bootstrap(...words);
    expect(run).toMatchObject({ status: 2, stdout: '' });
    expect(run.stderr).toContain(`(${code};`);
  });

  it('names the certificate that is not there, and where it was named', async () => {
    inventory(', etcd: { ca: /nonexistent/ca.pem }');
    const run = await bootstrap('--all', '--yes');
    expect(run).toMatchObject({ status: 2, stdout: '' });
    expect(run.stderr).toContain("flanneld's CA /nonexistent/ca.pem (flannel.etcd.ca) does not exist");
    inventory('');
  });

  it('reads the password of flanneld from the file that the inventory names', async () => {
    const secret = join(cli.home, 'flannel-password');
    inventory(`, etcd: { user: flannel, passwordFile: ${secret} }`);
    expect((await bootstrap('--all', '--yes')).stderr).toContain(
      `password file ${secret} (flannel.etcd.passwordFile) does not exist`,
    );
    writeFileSync(secret, '\nswordfish\n');
    const empty = await bootstrap('--all', '--yes');
    expect(empty).toMatchObject({ status: 2, stdout: '' });
    expect(empty.stderr).toContain('(password-empty;');
    expect(empty.stderr).not.toContain('swordfish');
    writeFileSync(secret, 'swordfish\n', { mode: 0o644 });
    const read = await bootstrap('--all', '--yes');
    expect(read.status).toBe(4);
    expect(read.stderr).toContain('can be read by others');
    expect(read.stdout + read.stderr).not.toContain('swordfish');
    inventory('');
  });

  it('reaches a machine behind a port of this one by SSH, and not this machine', async () => {
    writeFileSync(
      config,
      'flannel: { version: v0.28.9 }\nnodes: [{ name: n1, address: 127.0.0.1, ssh: { port: 1 } }]\n',
    );
    const run = await bootstrap('--all', '--yes');
    expect(run.status).toBe(4);
    expect(run.stdout).toMatch(/127\.0\.0\.1.*ECONNREFUSED/);
    inventory('');
  });

  it('tells of nodes that cannot be asked, each with why', async () => {
    const run = await bootstrap('--all', '--yes');
    expect(run.status).toBe(4);
    expect(run.stdout).toMatch(/^n1 {2}could not be asked\n.*127\.0\.0\.9.*ECONNREFUSED/);
    expect(await cli.json(['node', 'bootstrap', '--config', config, '--all', '--yes'])).toMatchObject({
      kind: 'NodeBootstrapList',
      archive: null,
      applied: false,
      items: [{ name: 'n1', state: 'unreachable' }],
    });
  });
});
