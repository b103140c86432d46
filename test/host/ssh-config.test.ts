import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resolveSshTarget, type SshWish } from '../../src/lib/host/ssh-config';

const folder = mkdtempSync(join(tmpdir(), 'netctl-sshconfig-'));
const home = join(folder, 'home');
const ran = join(folder, 'match-exec-ran');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const configFile = join(folder, 'config');
beforeAll(() => {
  mkdirSync(join(home, '.ssh', 'parts'), { recursive: true });
  writeFileSync(join(folder, 'included'), 'Host inc\n  User included\n  Port 2022\nHost *\n  ConnectTimeout 1m30s\n');
  writeFileSync(
    configFile,
    [
      '# a comment',
      `Include ${join(folder, 'included')}`,
      'Host node1 node2 !node3',
      '  HostName = 10.4.7.21',
      '  User first',
      '  User second',
      '  Port 2222',
      '  IdentityFile /keys/one',
      '  IdentityFile "/keys/two words"',
      '  IdentitiesOnly yes',
      '  HostKeyAlias fleet-1',
      'Host *.example.org',
      '  ProxyJump admin@outer:2200,inner',
      '  UserKnownHostsFile /known/%h ~/known2',
      '  GlobalKnownHostsFile none',
      '  StrictHostKeyChecking accept-new',
      '  HashKnownHosts yes',
      '  IdentityAgent none',
      '  AddressFamily inet6',
      'Host inner',
      '  HostName inner.internal',
      '  User hop',
      'Host loop',
      '  ProxyJump loop2',
      'Host loop2',
      '  ProxyJump loop',
      'Host proxied',
      '  ProxyCommand nc %h %p',
      'Host lax',
      '  StrictHostKeyChecking no',
      '  PasswordAuthentication no',
      '',
    ].join('\n'),
  );
});

const hasOpenSsh = (() => {
  try {
    execFileSync('ssh', ['-V'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

const readers = [
  ['OpenSSH', 'ssh'],
  ['our own reader', null],
] as const;

describe.each(readers.filter(([, program]) => program === null || hasOpenSsh))(
  '~/.ssh/config read by %s',
  (_, program) => {
    const resolve = (address: string, wish: Partial<SshWish> = {}) =>
      resolveSshTarget({ name: 'n', address, ...wish }, { configFile, program, home, agentSocket: '/agent' });

    it('gives host name, user, port and keys; the first value holds', async () => {
      expect(await resolve('node1')).toMatchObject({
        name: 'n',
        hostName: '10.4.7.21',
        user: 'first',
        port: 2222,
        identityFiles: [
          { file: '/keys/one', isNamed: true },
          { file: '/keys/two words', isNamed: true },
        ],
        identitiesOnly: true,
        hostKeyAlias: 'fleet-1',
        agentSocket: '/agent',
        hostKey: 'strict',
        connectTimeoutMs: 90_000,
        jumps: [],
      });
    });

    it('gives way to what netctl was told', async () => {
      const told = {
        user: 'told',
        port: 1,
        identityFile: '~/told',
        knownHosts: '/told/known',
        hostKey: 'off',
        connectTimeoutSeconds: 3,
      } as const;
      expect(await resolve('node1', told)).toMatchObject({
        hostName: '10.4.7.21',
        user: 'told',
        port: 1,
        preferredIdentityFiles: [join(home, 'told')],
        knownHosts: { user: ['/told/known'], global: [] },
        hostKey: 'off',
        connectTimeoutMs: 3000,
      });
    });

    it('gives jump hosts in their order, each with its own settings and the way to it', async () => {
      const target = await resolve('a.example.org');
      expect(target.jumps).toMatchObject([
        { name: 'outer', hostName: 'outer', user: 'admin', port: 2200, jumps: [] },
        { name: 'inner', hostName: 'inner.internal', user: 'hop', port: 22, jumps: [{ name: 'outer' }] },
      ]);
      expect((await resolve('a.example.org', { jump: 'none' })).jumps).toEqual([]);
      expect((await resolve('a.example.org', { jump: 'x@[fe80::1]:23' })).jumps).toMatchObject([
        { hostName: 'fe80::1', user: 'x', port: 23 },
      ]);
    });

    it('gives known_hosts files and what is to be done with new keys', async () => {
      expect(await resolve('a.example.org')).toMatchObject({
        knownHosts: { user: ['/known/a.example.org', expect.stringMatching(/^\/.*\/known2$/)], global: [] },
        hostKey: 'accept-new',
        hashKnownHosts: true,
        addressFamily: 6,
      });
      expect('agentSocket' in (await resolve('a.example.org'))).toBe(false);
      expect(await resolve('lax')).toMatchObject({
        hostKey: 'accept-new',
        allowsPassword: false,
        allowsPublicKey: true,
      });
    });

    it('follows Include', async () => {
      expect(await resolve('inc')).toMatchObject({ user: 'included', port: 2022 });
    });

    it('has defaults for a host that it does not name', async () => {
      const target = await resolve('10.9.9.9');
      expect(target).toMatchObject({
        hostName: '10.9.9.9',
        user: userInfo().username,
        port: 22,
        hostKey: 'strict',
        identitiesOnly: false,
      });
      expect(target.identityFiles.every(({ isNamed }) => !isNamed)).toBe(true);
      expect(target.knownHosts.global).toContain('/etc/ssh/ssh_known_hosts');
      expect(target.knownHosts.user[0]).toMatch(/\.ssh\/known_hosts$/);
    });

    it.each([
      ['loop', 'ssh-jump-circle'],
      ['proxied', 'ssh-proxy-command'],
      ['-oProxyCommand=id', 'ssh-target-invalid'],
      ['a;id', 'ssh-target-invalid'],
      ['', 'ssh-target-invalid'],
    ])('refuses %s: %s', async (address, code) => {
      await expect(resolve(address)).rejects.toMatchObject({ code, exit: 2 });
    });

    it('refuses users and jump hosts that would be options', async () => {
      await expect(resolve('node1', { user: '-lroot' })).rejects.toMatchObject({ code: 'ssh-target-invalid' });
      await expect(resolve('node1', { jump: '-oProxyCommand=id' })).rejects.toMatchObject({
        code: 'ssh-target-invalid',
      });
      await expect(resolve('node1', { jump: 'a:99999' })).rejects.toMatchObject({ code: 'ssh-target-invalid' });
    });

    it('says what is wrong in a file', async () => {
      const broken = join(folder, 'broken');
      writeFileSync(broken, 'Host *\n  Port\n');
      await expect(
        resolveSshTarget({ name: 'n', address: 'x' }, { configFile: broken, program, home }),
      ).rejects.toMatchObject({
        code: 'ssh-config-invalid',
        message: expect.stringMatching(/broken:?( line)? ?2/),
      });
    });
  },
);

describe('our own reader of ~/.ssh/config', () => {
  it('never runs what Match exec names, and passes over conditions that it does not know', async () => {
    const file = join(folder, 'match');
    writeFileSync(file, `Match exec "touch ${ran}"\n  User evil\nMatch user root\n  Port 1\nMatch all\n  Port 2\n`);
    const target = await resolveSshTarget({ name: 'n', address: 'x' }, { configFile: file, program: null, home });
    expect([target.port, target.user]).toEqual([2, userInfo().username]);
    expect(existsSync(ran)).toBe(false);
  });

  it('reads the user’s file and includes relative to it, in order', async () => {
    writeFileSync(join(home, '.ssh', 'config'), 'Include parts/*.conf\nHost *\n  User last\n');
    writeFileSync(join(home, '.ssh', 'parts', 'b.conf'), 'User b\nPort 7\n');
    writeFileSync(join(home, '.ssh', 'parts', 'a.conf'), 'User a\n');
    writeFileSync(join(home, '.ssh', 'parts', '.hidden.conf'), 'User hidden\n');
    expect(await resolveSshTarget({ name: 'n', address: 'x' }, { program: null, home })).toMatchObject({
      user: 'a',
      port: 7,
    });
  });

  it('stops at files that include each other', async () => {
    const file = join(folder, 'circle');
    writeFileSync(file, `Include ${file}\n`);
    await expect(
      resolveSshTarget({ name: 'n', address: 'x' }, { configFile: file, program: null, home }),
    ).rejects.toMatchObject({
      code: 'ssh-config-invalid',
    });
  });

  it('serves when there is no OpenSSH', async () => {
    const target = await resolveSshTarget(
      { name: 'n', address: 'node2' },
      { configFile, program: join(folder, 'no-ssh'), home },
    );
    expect(target).toMatchObject({ hostName: '10.4.7.21', port: 2222 });
  });
});
