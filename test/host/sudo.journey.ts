import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Host } from '../../src/lib/host/host';
import { createSecrets, type Secrets } from '../../src/lib/host/secrets';
import { openSsh, type Ssh } from '../../src/lib/host/ssh';
import { resolveSshTarget } from '../../src/lib/host/ssh-config';
import { type SudoOptions, sudo } from '../../src/lib/host/sudo';
import { pushFile, readFile, writeFile } from '../../src/lib/host/write-file';
import { whyNoLab } from '../lab/base';
import type { Lab } from '../lab/lab';
import { startLab } from '../lab/start-lab';

const reason = await whyNoLab();
if (reason !== undefined) console.error(`\n*** THE JOURNEYS OF HOSTS DO NOT RUN: ${reason} ***\n`);

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

describe.skipIf(reason !== undefined)('Real hosts behind a jump host', () => {
  let lab: Lab;
  let ssh: Ssh;
  let secrets: Secrets;

  beforeAll(async () => {
    lab = await startLab({ id: `hx${(process.pid % 100_000).toString(36)}`, hosts: 2, jump: true, docker: 'absent' });
    secrets = createSecrets(({ kind }) =>
      Promise.resolve(kind === 'passphrase' ? lab.ssh.passphrase : lab.ssh.opsPassword),
    );
    ssh = openSsh({ secrets, silentMs: 4000 });
  });
  afterAll(async () => {
    ssh?.close();
    await lab?.stop();
  });

  const reach = async (name: string, user: string): Promise<Host> =>
    ssh.host(await resolveSshTarget({ name, address: name, user }, { configFile: lab.ssh.configFile }));
  const asRoot = async (user: string, options?: SudoOptions) => sudo(await reach('node1', user), options);
  const right: SudoOptions = { password: () => Promise.resolve(lab.ssh.opsPassword) };
  const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, index) => index % 256));

  test.each([
    ['root', {}],
    ['admin', {}],
    ['ops', right],
  ] as const)('%s becomes root, and the input of a command arrives byte for byte', async (user, options) => {
    const host = await asRoot(user, user === 'ops' ? right : options);
    expect(text((await host.run({ argv: ['id', '-u'] })).stdout)).toBe('0\n');
    expect(Buffer.compare((await host.run({ argv: ['cat'], stdin: bytes })).stdout, bytes)).toBe(0);
    expect(text((await host.run({ argv: ['wc', '-c'] })).stdout).trim()).toBe('0');
    expect((await host.run({ argv: ['sh', '-c', 'exit 7'] })).code).toBe(7);
    expect(text((await host.run({ argv: ['printf', '%s|', "it's", '$HOME', 'a\nb'] })).stdout)).toBe(
      "it's|$HOME|a\nb|",
    );
    const path = `/etc/netctl-${user}/file`;
    await writeFile(host, { path, mode: 0o600, owner: 'root:root', before: 'absent' }, bytes);
    expect(await readFile(host, path)).toMatchObject({ mode: 0o600, owner: 'root:root' });
  });

  test('the password stands in no argument while a command runs', async () => {
    const host = await asRoot('ops', right);
    const { stdout } = await host.run({ argv: ['sh', '-c', 'cat /proc/[0-9]*/cmdline | tr "\\0" " "'] });
    expect(text(stdout)).toContain('sudo');
    expect(text(stdout)).not.toContain(lab.ssh.opsPassword);
  });

  test('a command that sudo runs without asking never sees the password', async () => {
    await lab
      .host('node1')
      .must(
        "echo 'ops ALL=(ALL) NOPASSWD: /bin/sh, /usr/bin/sh' >/etc/sudoers.d/some && chmod 440 /etc/sudoers.d/some",
      );
    const { stdout } = await (await asRoot('ops', right)).run({ argv: ['cat'], stdin: Buffer.from('mine\n') });
    await lab.host('node1').must('rm /etc/sudoers.d/some');
    expect(text(stdout)).toBe('mine\n');
  });

  test('a wrong password is tried once each time it is given, never more', async () => {
    const given: number[] = [];
    const password = (attempt: number) => {
      given.push(attempt);
      return Promise.resolve(attempt < 3 ? 'wrong' : lab.ssh.opsPassword);
    };
    const since = (await lab.host('node1').must('date +%s')).trim();
    expect((await (await asRoot('ops', { password })).run({ argv: ['true'] })).code).toBe(0);
    expect(given).toEqual([1, 2, 3]);
    const journal = await lab
      .host('node1')
      .must(`journalctl --since @${since} -t sudo -o cat | grep -c 'authentication failure' || true`);
    expect(Number(journal)).toBeLessThanOrEqual(2);
    const always = await asRoot('ops', { password: () => Promise.resolve('wrong') });
    await expect(always.run({ argv: ['true'] })).rejects.toMatchObject({
      code: 'sudo-password-wrong',
      message: 'node1: sudo does not take the password',
    });
  });

  test('without a password to give, with a user that may not, without sudo, and with requiretty, each has its own words', async () => {
    await expect((await asRoot('ops')).run({ argv: ['true'] })).rejects.toMatchObject({ code: 'sudo-password-needed' });
    const node = lab.host('node1');
    await node.must("echo 'Defaults:ops requiretty' >/etc/sudoers.d/tty && chmod 440 /etc/sudoers.d/tty");
    await expect((await asRoot('ops', right)).run({ argv: ['true'] })).rejects.toMatchObject({
      code: 'sudo-needs-terminal',
    });
    await node.must('rm /etc/sudoers.d/tty; groups ops >/run/ops-groups; gpasswd -d ops sudo');
    const fresh = openSsh({ secrets });
    const outsider = sudo(
      fresh.host(
        await resolveSshTarget({ name: 'node1', address: 'node1', user: 'ops' }, { configFile: lab.ssh.configFile }),
      ),
      right,
    );
    await expect(outsider.run({ argv: ['true'] })).rejects.toMatchObject({ code: 'sudo-not-allowed' });
    await node.must('gpasswd -a ops sudo; mv /usr/bin/sudo /usr/bin/sudo.away');
    await expect((await asRoot('admin')).run({ argv: ['true'] })).rejects.toMatchObject({ code: 'sudo-missing' });
    await node.must('mv /usr/bin/sudo.away /usr/bin/sudo');
    fresh.close();
  });

  test('a command under sudo ends when it is called off', async () => {
    const host = await asRoot('admin');
    const control = new AbortController();
    const running = host.run({ argv: ['sleep', '7777'] }, control.signal);
    const isThere = async () => (await lab.host('node1').run('pgrep -x sleep -a | grep -q 7777')).code === 0;
    while (!(await isThere())) await new Promise((resolve) => setTimeout(resolve, 50));
    control.abort(new Error('Ctrl-C'));
    await expect(running).rejects.toThrow('Ctrl-C');
    for (let tries = 0; tries < 60 && (await isThere()); tries++)
      await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await isThere()).toBe(false);
  });

  test('ops gets in by password, admin by an encrypted key', async () => {
    const base = await resolveSshTarget(
      { name: 'node1', address: 'node1', user: 'ops' },
      { configFile: lab.ssh.configFile },
    );
    const byPassword = ssh.host({ ...base, identityFiles: [] });
    expect(text((await byPassword.run({ argv: ['whoami'] })).stdout)).toBe('ops\n');
    const byKey = ssh.host({
      ...base,
      user: 'admin',
      identityFiles: [{ file: lab.ssh.encryptedKeyFile, isNamed: true }],
    });
    expect(text((await byKey.run({ argv: ['whoami'] })).stdout)).toBe('admin\n');
  });

  test('a user whose shell is nologin is told from one that is not let in', async () => {
    await lab.host('node2').must('usermod -s /usr/sbin/nologin ops');
    await expect((await reach('node2', 'ops')).run({ argv: ['true'] })).rejects.toMatchObject({
      code: 'host-runs-no-commands',
      message: expect.stringContaining('This account is currently not available'),
    });
  });

  test('a host that freezes is noticed in time, and one that is cut off while a file is pushed keeps its old file', async () => {
    const host = await reach('node2', 'root');
    const path = '/opt/big';
    await writeFile(host, { path, mode: 0o644, before: 'absent' }, Buffer.from('before'));
    const begin = performance.now();
    const source = {
      sha256: 'f'.repeat(64),
      sizeBytes: 1e9,
      async *open() {
        for (let sent = 0; sent < 4000; sent++) {
          if (sent === 40) await lab.host('node2').cut();
          yield new Uint8Array(256 * 1024);
        }
      },
    };
    await expect(pushFile(host, { path, mode: 0o644, before: 'anything' }, source)).rejects.toMatchObject({
      code: 'host-silent',
    });
    expect(performance.now() - begin).toBeLessThan(8000);
    await lab.host('node2').heal();
    expect(text((await host.run({ argv: ['cat', path] })).stdout)).toBe('before');
  });

  test('a host is reached again after a reboot', async () => {
    const host = await reach('node1', 'root');
    const boot = async () => text((await host.run({ argv: ['stat', '-c', '%Y', '/proc/1'] })).stdout);
    const before = await boot();
    await lab.host('node1').reboot();
    // No error: the command had not begun when the old connection turned out to be dead.
    expect(await boot()).not.toBe(before);
  });
});
