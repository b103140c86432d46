import { describe, expect, it } from 'vitest';
import { type EtcdFlagValues, resolveEtcdSettings } from '../../src/lib/cli/settings';
import { NetctlError } from '../../src/lib/errors';
import { inventoryDefaults } from '../../src/lib/inventory/inventory-defaults';
import { parseInventory } from '../../src/lib/inventory/parse-inventory';

interface Given {
  readonly flags?: EtcdFlagValues;
  readonly env?: NodeJS.ProcessEnv;
  readonly file?: string;
}

function resolve({ flags = {}, env = {}, file }: Given) {
  const inventory = file === undefined ? undefined : parseInventory(file, '/w/netctl.yaml');
  return resolveEtcdSettings({ flags, env, inventory, inventoryName: 'netctl.yaml' });
}

function errorOf(given: Given): { readonly code: string; readonly text: string } {
  try {
    resolve(given);
  } catch (error) {
    if (!(error instanceof NetctlError)) throw error;
    return { code: error.code, text: [error.message, ...error.next, ...error.details].join('\n') };
  }
  throw new Error('nothing was thrown');
}

const file = [
  'etcd:',
  '  endpoints: [http://10.4.7.12:2379, http://10.4.7.21:2379]',
  '  prefix: flannel-vxlan/network/',
  '  api: v2',
  '  user: filed',
  '  passwordFile: pw',
  '  timeoutSeconds: 2.5',
].join('\n');

describe('which value holds', () => {
  it('without anything the defaults do', () => {
    const byDefault = { kind: 'default', name: 'default' };
    expect(resolve({})).toEqual({
      endpoints: { value: [...inventoryDefaults.etcd.endpoints], source: byDefault },
      prefix: { value: '/coreos.com/network', source: byDefault },
      api: { value: 'auto', source: byDefault },
      timeoutMs: { value: 5_000, source: byDefault },
      notices: [],
    });
  });

  it('the inventory beats the defaults, and its lines are named', () => {
    const settings = resolve({ file });
    expect(settings.endpoints).toEqual({
      value: ['http://10.4.7.12:2379', 'http://10.4.7.21:2379'],
      source: { kind: 'file', name: 'netctl.yaml:2' },
    });
    expect(settings.prefix).toEqual({
      value: '/flannel-vxlan/network',
      source: { kind: 'file', name: 'netctl.yaml:3' },
    });
    expect(settings.api.value).toBe('v2');
    expect(settings.user).toEqual({ value: 'filed', source: { kind: 'file', name: 'netctl.yaml:5' } });
    expect(settings.password?.value).toEqual({ kind: 'file', path: '/w/pw' });
    expect(settings.timeoutMs.value).toBe(2_500);
  });

  it("etcdctl's variables beat the inventory, and that is said where they differ", () => {
    const settings = resolve({ file, env: { ETCDCTL_ENDPOINTS: 'http://x:1', ETCDCTL_USER: 'filed' } });
    expect(settings.endpoints).toEqual({ value: ['http://x:1'], source: { kind: 'env', name: 'ETCDCTL_ENDPOINTS' } });
    expect(settings.notices).toEqual([
      'ETCDCTL_ENDPOINTS from the environment is used instead of etcd.endpoints in netctl.yaml:2; unset it, or give --endpoints, to choose',
    ]);
  });

  it("netctl's variables beat etcdctl's without a word", () => {
    const settings = resolve({ file, env: { ETCDCTL_ENDPOINTS: 'http://x:1', NETCTL_ENDPOINTS: 'http://y:1' } });
    expect(settings.endpoints.source.name).toBe('NETCTL_ENDPOINTS');
    expect(settings.notices).toEqual([]);
  });

  it('a flag beats them all, and is not taken for the variable that oclif put into it', () => {
    const env = { NETCTL_ENDPOINTS: 'http://y:1' };
    expect(resolve({ file, env, flags: { endpoints: 'http://z:1' } }).endpoints).toEqual({
      value: ['http://z:1'],
      source: { kind: 'flag', name: '--endpoints' },
    });
    expect(resolve({ file, env, flags: { endpoints: 'http://y:1' } }).endpoints.source.name).toBe('NETCTL_ENDPOINTS');
  });

  it('an empty variable is none, an empty flag is an error', () => {
    const env = { NETCTL_ENDPOINTS: '', ETCDCTL_ENDPOINTS: '' };
    expect(resolve({ file, env, flags: { endpoints: '' } }).endpoints.source.name).toBe('netctl.yaml:2');
    expect(errorOf({ flags: { endpoints: '' } }).code).toBe('setting-empty');
  });
});

describe('endpoints', () => {
  it.each([
    ['10.0.0.1:2379', 'http://10.0.0.1:2379'],
    ['http://10.0.0.1:2379/', 'http://10.0.0.1:2379'],
    [' http://a:1 , http://b:2 ,', 'http://a:1 http://b:2'],
    ['[::1]:2379', 'http://[::1]:2379'],
    ['HTTPS://ETCD.Example:2379', 'https://etcd.example:2379'],
    ['https://a:1,b:2', 'https://a:1 https://b:2'],
    ['a:1,http://a:1', 'http://a:1'],
    ['localhost:2379', 'http://localhost:2379'],
  ])('%s becomes %s', (written, wanted) => {
    expect(resolve({ flags: { endpoints: written } }).endpoints.value.join(' ')).toBe(wanted);
  });

  it('without a scheme they are https as soon as TLS files are given', () => {
    expect(resolve({ flags: { endpoints: 'a:1', cacert: 'ca.pem' } }).endpoints.value).toEqual(['https://a:1']);
  });

  it('TLS files that plain http does not use are named', () => {
    expect(resolve({ flags: { endpoints: 'http://a:1', cacert: 'ca.pem' } }).notices).toEqual([
      'TLS files (--cacert) are not used: http://a:1 of --endpoints is plain http',
    ]);
  });

  it.each([
    ['10.0.0.1', '--endpoints: "10.0.0.1" has no port\nWrite http://10.0.0.1:2379'],
    ['https://etcd.example', '--endpoints: "https://etcd.example" has no port\nWrite https://etcd.example:2379'],
    [
      'http://a:1/v2/keys',
      '--endpoints: "http://a:1/v2/keys" has a path; etcd is addressed by scheme, host and port alone\nWrite http://a:1',
    ],
    [
      'unix:///run/etcd.sock',
      '--endpoints: "unix:///run/etcd.sock" has a scheme other than http and https\nWrite http://127.0.0.1:2379',
    ],
    ['::1', '--endpoints: "::1" is IPv6 without brackets around the address\nWrite http://[::1]:2379'],
    ['a:0', '--endpoints: "a:0" is not HOST:PORT with a port of 1 to 65535\nWrite http://127.0.0.1:2379'],
    ['a:1,,b:1', '--endpoints: an endpoint is empty\nWrite http://127.0.0.1:2379'],
    [
      'http://a:1,https://b:1',
      '--endpoints: http:// and https:// are mixed; all members of an etcd serve alike\nWrite https://a:1,https://b:1',
    ],
  ])('%s is refused', (written, wanted) => {
    expect(errorOf({ flags: { endpoints: written } })).toEqual({ code: 'endpoint-invalid', text: wanted });
  });

  it.each([
    'http://root:hunter2@a:1',
    'root:hunter2@a:1',
    'http://a:1,http://hunter2@b:1/x',
    'http://root:hun/hunter2@a:1',
  ])('a password in %s is refused and not repeated', (written) => {
    const { code, text } = errorOf({ flags: { endpoints: written } });
    expect(code).toBe('endpoint-invalid');
    expect(text).not.toContain('hunter2');
  });
});

describe('the prefix', () => {
  it.each([
    ['coreos.com/network', '/coreos.com/network'],
    ['//a///b//', '/a/b'],
    ['/a', '/a'],
  ])('%s is cleaned as flanneld does: %s', (written, wanted) => {
    expect(resolve({ flags: { prefix: written } }).prefix.value).toBe(wanted);
  });

  it.each([
    '/',
    '//',
    '/a(b',
    '/a+b',
    '/a b',
    '/a/../b',
    '/./a',
    '/a\\',
    '/a[0',
    '/a*',
    '/a\nb',
    '/^a$',
    '/a|b',
    '/a{2}',
    '/a?',
  ])('%j is refused', (written) => {
    expect(errorOf({ flags: { prefix: written } }).code).toBe('prefix-invalid');
  });
});

describe('TLS files', () => {
  it.each<readonly [EtcdFlagValues, string]>([
    [
      { cert: 'c.pem' },
      '--cert: c.pem is a client certificate without its private key; TLS needs both (flanneld would use neither)\n--key FILE, or etcd.key in netctl.yaml',
    ],
    [
      { key: 'k.pem' },
      '--key: k.pem is a private key without its certificate; TLS needs both (flanneld would use neither)\n--cert FILE, or etcd.cert in netctl.yaml',
    ],
  ])('%j is incomplete', (flags, wanted) => {
    expect(errorOf({ flags })).toEqual({ code: 'tls-incomplete', text: wanted });
  });

  it('may come from different places', () => {
    const settings = resolve({ flags: { cert: 'c.pem' }, env: { ETCDCTL_KEY: 'k.pem', ETCDCTL_CACERT: 'ca.pem' } });
    expect([settings.ca, settings.cert, settings.key].map((file) => file?.source.name)).toEqual([
      'ETCDCTL_CACERT',
      '--cert',
      'ETCDCTL_KEY',
    ]);
  });
});

describe('user and password', () => {
  it('a password on the command line is refused, with the ways that are open', () => {
    const { code, text } = errorOf({ flags: { user: 'root:hunter2' } });
    expect(code).toBe('password-on-argv');
    expect(text).not.toContain('hunter2');
    expect(text).toContain('--user root --password-file FILE');
  });

  it.each<readonly [string, Given, string | undefined]>([
    [
      '--password-file first',
      { flags: { user: 'a', 'password-file': 'f' }, env: { NETCTL_PASSWORD: 'n', ETCDCTL_PASSWORD: 'e' } },
      '--password-file',
    ],
    [
      'then NETCTL_PASSWORD',
      { flags: { user: 'a' }, env: { NETCTL_PASSWORD: 'n', NETCTL_PASSWORD_FILE: 'f', ETCDCTL_PASSWORD: 'e' } },
      'NETCTL_PASSWORD',
    ],
    [
      'then NETCTL_PASSWORD_FILE',
      { flags: { user: 'a', 'password-file': 'f' }, env: { NETCTL_PASSWORD_FILE: 'f', ETCDCTL_PASSWORD: 'e' } },
      'NETCTL_PASSWORD_FILE',
    ],
    ['then the one beside the name', { env: { ETCDCTL_USER: 'a:b', ETCDCTL_PASSWORD: 'e' } }, 'ETCDCTL_USER'],
    ['then ETCDCTL_PASSWORD', { flags: { user: 'a' }, env: { ETCDCTL_PASSWORD: 'e' } }, 'ETCDCTL_PASSWORD'],
    ['then the file of the inventory', { file }, 'netctl.yaml:6'],
    ['else the person is asked', { flags: { user: 'a' } }, undefined],
    ['never that of another user in the inventory', { file, flags: { user: 'a' } }, undefined],
    [
      'never that of another user in ETCDCTL_USER',
      { flags: { user: 'a' }, env: { ETCDCTL_USER: 'root:pw' } },
      undefined,
    ],
  ])('%s', (_what, given, wanted) => {
    expect(resolve(given).password?.source.name).toBe(wanted);
  });

  it('a colon in the password stays in it', () => {
    const settings = resolve({ env: { ETCDCTL_USER: 'root:a:b' } });
    expect([settings.user?.value, settings.password?.value]).toEqual(['root', { kind: 'text', text: 'a:b' }]);
  });

  it('a password without a user is an error when typed, and a remark when it only lies in the environment', () => {
    expect(errorOf({ flags: { 'password-file': 'f' } }).code).toBe('user-missing');
    expect(errorOf({ env: { ETCDCTL_USER: ':pw' } }).code).toBe('user-missing');
    expect(resolve({ env: { ETCDCTL_PASSWORD: 'x' } }).notices).toEqual([
      'ETCDCTL_PASSWORD is not used: no user is given (--user, NETCTL_USER, ETCDCTL_USER)',
    ]);
  });
});

describe('API and timeout', () => {
  it.each([
    ['5', 5_000],
    ['0.5', 500],
    ['2s', 2_000],
    ['600', 600_000],
  ])('a timeout of %s is %d ms', (written, wanted) => {
    expect(resolve({ flags: { timeout: written } }).timeoutMs.value).toBe(wanted);
  });

  it.each(['0', '-1', '601', 'x', '5m', '500ms', '1e3', 'NaN'])('a timeout of %s is refused', (written) => {
    expect(errorOf({ flags: { timeout: written } }).code).toBe('timeout-invalid');
  });

  it('the API of the environment is checked as oclif checks the flag', () => {
    expect(resolve({ env: { NETCTL_ETCD_API: 'V3' } }).api.value).toBe('v3');
    expect(errorOf({ env: { NETCTL_ETCD_API: '3' } })).toEqual({
      code: 'api-invalid',
      text: 'NETCTL_ETCD_API: "3" is not auto, v2 or v3\nv3',
    });
  });
});
