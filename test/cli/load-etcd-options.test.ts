import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadEtcdOptions } from '../../src/lib/cli/load-etcd-options';
import { type EtcdFlagValues, resolveEtcdSettings } from '../../src/lib/cli/settings';
import { NetctlError } from '../../src/lib/errors';

const folder = mkdtempSync(join(tmpdir(), 'netctl-options-'));
const at = (name: string): string => join(folder, name);

beforeAll(() => {
  for (const name of ['a', 'b']) {
    const subject = ['-subj', `/CN=${name}`, '-days', '2', '-nodes'];
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
    execFileSync(
      'openssl',
      ['req', '-x509', ...curve, ...subject, '-keyout', at(`${name}.key`), '-out', at(`${name}.pem`)],
      { stdio: 'ignore' },
    );
    chmodSync(at(`${name}.key`), 0o600);
  }
  execFileSync('openssl', ['x509', '-in', at('a.pem'), '-outform', 'DER', '-out', at('a.der')]);
  execFileSync('openssl', ['pkey', '-in', at('a.key'), '-aes256', '-passout', 'pass:x', '-out', at('locked.key')]);
  writeFileSync(at('empty'), '');
  writeFileSync(at('damaged.pem'), '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
  writeFileSync(at('large'), Buffer.alloc(1024 * 1024 + 1));
  writeFileSync(at('password'), 'hunter2\nsecond line\n', { mode: 0o600 });
  writeFileSync(at('blank'), '\nhunter2\n', { mode: 0o600 });
  mkdirSync(at('directory'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const load = (flags: EtcdFlagValues, env: NodeJS.ProcessEnv = {}, ask?: (user: string) => Promise<string>) =>
  loadEtcdOptions(resolveEtcdSettings({ flags: { endpoints: 'https://127.0.0.1:1', ...flags }, env }), ask);

async function errorOf(flags: EtcdFlagValues, env: NodeJS.ProcessEnv = {}): Promise<NetctlError> {
  try {
    await load(flags, env);
  } catch (error) {
    if (error instanceof NetctlError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('the files that settings name', () => {
  it('become the contents that a store wants', async () => {
    const { options, notices } = await load({ cacert: at('b.pem'), cert: at('a.pem'), key: at('a.key'), timeout: '2' });
    expect(options.timeoutMs).toBe(2_000);
    expect(Buffer.from(options.ca ?? []).toString()).toContain('BEGIN CERTIFICATE');
    expect(Buffer.from(options.key ?? []).toString()).toContain('PRIVATE KEY');
    expect(notices).toEqual([]);
  });

  it('a key that others can read is a remark', async () => {
    writeFileSync(at('open.key'), '');
    execFileSync('cp', [at('a.key'), at('open.key')]);
    chmodSync(at('open.key'), 0o644);
    const { notices } = await load({ cert: at('a.pem'), key: at('open.key') });
    expect(notices).toEqual([
      `private key ${at('open.key')} can be read by others (mode 0644): chmod 600 ${at('open.key')}`,
    ]);
  });

  it.each<readonly [string, EtcdFlagValues, string, string]>([
    ['one that is not there', { cacert: 'nowhere.pem' }, 'file-unreadable', 'does not exist'],
    ['a directory', { cacert: 'directory' }, 'file-unreadable', 'is a directory'],
    ['an empty one', { cacert: 'empty' }, 'file-unreadable', 'is empty'],
    ['a large one', { cacert: 'large' }, 'file-too-large', 'holds more than 1048576 bytes'],
    ['a device without an end', { cacert: '/dev/zero' }, 'file-too-large', 'holds more than'],
    ['DER', { cacert: 'a.der' }, 'pem-invalid', 'is not a PEM certificate'],
    ['a damaged one', { cacert: 'damaged.pem' }, 'pem-invalid', 'holds a damaged certificate'],
    ['a key as CA', { cacert: 'a.key' }, 'pem-invalid', 'holds a private key where a certificate belongs'],
    [
      'certificate and key exchanged',
      { cert: 'a.key', key: 'a.pem' },
      'pem-invalid',
      'holds a private key where a certificate belongs',
    ],
    [
      'a certificate as key',
      { cert: 'a.pem', key: 'b.pem' },
      'pem-invalid',
      'holds a certificate where a private key belongs',
    ],
    ['a locked key', { cert: 'a.pem', key: 'locked.key' }, 'pem-invalid', 'is locked with a passphrase'],
    ['the key of another', { cert: 'a.pem', key: 'b.key' }, 'tls-key-mismatch', 'does not belong to the certificate'],
  ])('%s is refused by name', async (_what, files, code, words) => {
    const flags = Object.fromEntries(
      Object.entries(files).map(([flag, name]) => [flag, name.startsWith('/') ? name : at(name)]),
    );
    const error = await errorOf(flags);
    expect(error.code).toBe(code);
    expect(error.message).toContain(words);
    expect(error.message).toMatch(/\(--(?:cacert|cert|key)\)/);
  });
});

describe('the password', () => {
  it('is the first line of its file', async () => {
    const { options } = await load({ user: 'root', 'password-file': at('password') });
    expect(options.user).toEqual({ name: 'root', password: 'hunter2' });
  });

  it('is asked for when nothing gives it', async () => {
    const { options } = await load({ user: 'root' }, {}, async (user) => `of ${user}`);
    expect(options.user?.password).toBe('of root');
  });

  it('that nobody can be asked for is an error with the ways to give it', async () => {
    const error = await errorOf({ user: 'root' });
    expect(error.code).toBe('password-missing');
    expect(error.next).toContain('--password-file FILE');
  });

  it('that is empty is an error', async () => {
    expect((await errorOf({ user: 'root', 'password-file': at('blank') })).code).toBe('password-empty');
    expect((await errorOf({}, { ETCDCTL_USER: 'root:' })).code).toBe('password-empty');
  });

  it('over plain http to another machine is a remark', async () => {
    const remote = await load({ endpoints: 'http://10.0.0.1:1', user: 'root' }, { NETCTL_PASSWORD: 'x' });
    expect(remote.notices).toEqual([
      'the password of root goes over the network unprotected: http://10.0.0.1:1 is plain http',
    ]);
    const local = await load({ endpoints: 'http://127.0.0.1:1', user: 'root' }, { NETCTL_PASSWORD: 'x' });
    expect(local.notices).toEqual([]);
  });
});
