import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Ended, root } from '../support/built';
import { cliFor } from '../support/cli';
import { documentOf } from '../support/documents';
import {
  blackHole,
  certificateAuthority,
  droppingPort,
  type Etcd,
  notEtcd,
  startEtcd,
  temporaryDirectory,
} from '../support/etcd';
import { hostGw, leaseLikeFlanneld, prefix } from '../support/flannel-leases';

describe('netctl --etcd-api auto', () => {
  let etcd: Etcd;
  let cli: ReturnType<typeof cliFor>;
  const config = '{"Network":"10.1.0.0/16","Backend":{"Type":"host-gw"}}';
  beforeAll(async () => {
    etcd = await startEtcd();
    cli = cliFor({ NETCTL_ENDPOINTS: etcd.endpoints[0] });
  });
  afterEach(() => {
    etcd.ctl(['del', '--prefix', '/']);
    try {
      etcd.ctl(['rm', '--recursive', '/coreos.com'], { api: 2 });
    } catch {
      // Nothing was written there.
    }
  });
  afterAll(async () => {
    cli.remove();
    await etcd.stop();
  });
  const apiOf = async () => documentOf('SubnetList', (await cli.netctl(['subnets', 'ls', '-o', 'json'])).stdout).api;

  it('takes v3 without a word when only v3 has the network', async () => {
    etcd.ctl(['put', `${prefix}/config`, config]);
    expect(await cli.netctl(['network', 'show'])).toMatchObject({ status: 0, stderr: '' });
    expect(await apiOf()).toBe('v3');
  });

  it('takes v2 and says so when only v2 has it, by the rules of a release that reads v2', async () => {
    etcd.ctl(['set', `${prefix}/config`, config], { api: 2 });
    leaseLikeFlanneld(etcd, 'v2', '10.1.21.0/24', hostGw('192.168.0.1'));
    const run = await cli.netctl(['network', 'show']);
    expect(run).toMatchObject({ status: 0, stderr: 'note: the network lives in etcd v2 (a config, 1 lease)\n' });
    expect(run.stdout).toContain('accepted by flannel v0.17.0');
    expect(await apiOf()).toBe('v2');
    // A write goes where the network lives.
    await cli.netctl(['init-network', '10.1.0.0/16', '--backend', 'vxlan', '--force', '--yes']);
    expect(etcd.ctl(['get', `${prefix}/config`], { api: 2 })).toContain('vxlan');
    expect(etcd.ctl(['get', `${prefix}/config`])).toBe('');
  });

  it('never guesses when both have data: it shows both, and the person says which', async () => {
    etcd.ctl(['put', `${prefix}/config`, config]);
    leaseLikeFlanneld(etcd, 'v2', '10.1.21.0/24', hostGw('192.168.0.1'));
    for (const argv of [
      ['subnets', 'ls'],
      ['network', 'show'],
      ['init-network', '10.2.0.0/16', '--force', '--yes'],
    ]) {
      const run = await cli.netctl(argv);
      expect(run).toMatchObject({ status: 2, stdout: '' });
      expect(run.stderr).toContain('v3 (flannel >= v0.18.0): a config, 0 leases');
      expect(run.stderr).toContain('v2 (flannel <= v0.17.0): no config, 1 lease');
      expect(run.stderr).toContain('--etcd-api v3 or --etcd-api v2');
    }
    const list = async (api: string) =>
      documentOf('SubnetList', (await cli.netctl(['subnets', 'ls', '--etcd-api', api, '-o', 'json'])).stdout).items;
    expect(await list('v3')).toHaveLength(0);
    expect(await list('v2')).toHaveLength(1);
  });

  it('writes a new network to v3, or to v2 for a release that reads v2', async () => {
    expect(await cli.netctl(['init-network', '10.1.0.0/16', '--dry-run'])).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('etcd v3'),
    });
    const old = await cli.netctl(['init-network', '10.1.0.0/16', '--flannel', 'v0.11.0']);
    expect(old).toMatchObject({ status: 0, stdout: expect.stringContaining('etcd v2') });
    expect(etcd.ctl(['get', `${prefix}/config`], { api: 2 })).toContain('10.1.0.0/16');
  });

  it('warns when the release that is named does not read this API', async () => {
    etcd.ctl(['put', `${prefix}/config`, config]);
    const { status, stderr } = await cli.netctl(['network', 'show', '--flannel', 'v0.11.0']);
    expect(status).toBe(0);
    expect(stderr).toContain('flannel v0.11.0 reads etcd v2');
  });
});

describe('netctl on an etcd without --enable-v2', () => {
  it('works as if there were only v3, and says clearly that v2 is not there when asked for it', async () => {
    const etcd = await startEtcd({ enableV2: false });
    const cli = cliFor({ NETCTL_ENDPOINTS: etcd.endpoints[0] });
    try {
      expect(await cli.netctl(['init-network', '10.1.0.0/16'])).toMatchObject({ status: 0, stderr: '' });
      expect(await cli.netctl(['subnets', 'ls'])).toMatchObject({ status: 0, stderr: '' });
      const v2 = await cli.netctl(['subnets', 'ls', '--etcd-api', 'v2']);
      expect(v2.status).toBeGreaterThan(0);
      expect(v2.stderr).toContain('--enable-v2');
    } finally {
      cli.remove();
      await etcd.stop();
    }
  });
});

describe('netctl when etcd cannot be reached', () => {
  let cli: ReturnType<typeof cliFor>;
  const undo: (() => Promise<void>)[] = [];
  beforeAll(() => {
    cli = cliFor({});
  });
  afterEach(async () => {
    for (const each of undo.splice(0)) await each();
  });
  afterAll(() => cli.remove());

  /** Exit code 4 within seconds, one message that names the endpoint, and what to do. */
  const expectUnreachable = async (
    url: string,
    argv: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<Ended> => {
    const start = performance.now();
    const run = await cli.netctl(['subnets', 'ls', ...argv], { env: { NETCTL_ENDPOINTS: url, ...env } });
    expect(performance.now() - start).toBeLessThan(20_000);
    expect(run).toMatchObject({ status: 4, stdout: '' });
    expect(run.stderr.match(/^netctl: /gm)).toHaveLength(1);
    expect(run.stderr).toContain(url);
    expect(run.stderr).toMatch(/netctl explain etcd-[a-z-]+\)\n$/);
    expect(run.stderr).not.toMatch(/\n {4}at |UNAVAILABLE|undefined/);
    return run;
  };

  it('names a port on which nothing listens at once', async () => {
    const start = performance.now();
    await expectUnreachable('http://127.0.0.1:1', []);
    expect(performance.now() - start).toBeLessThan(15_000);
    const json = await cli.netctl(['network', 'show', '--endpoints', 'http://127.0.0.1:1', '-o', 'json']);
    expect(documentOf('Error', json.stderr)).toMatchObject({ exit: 4, code: 'etcd-refused' });
  });

  it.each([
    ['takes connections and says nothing', blackHole],
    ['drops what is sent to it', droppingPort],
  ])('gives up on a host that %s, after --timeout and by itself', async (_, make) => {
    const service = await make();
    undo.push(() => service.stop());
    const start = performance.now();
    await expectUnreachable(service.url, ['--timeout', '1']);
    expect(performance.now() - start).toBeLessThan(15_000);
    await expectUnreachable(service.url, []);
  });

  it('tells another web server from etcd', async () => {
    const service = await notEtcd();
    undo.push(() => service.stop());
    await expectUnreachable(service.url, []);
  });

  it('names every endpoint when none answers, and does without those that are dead when one does', async () => {
    const dead = 'http://127.0.0.1:1,http://127.0.0.1:2';
    const run = await cli.netctl(['subnets', 'ls', '--endpoints', dead]);
    expect(run.status).toBe(4);
    for (const url of dead.split(',')) expect(run.stderr).toContain(url);
    const etcd = await startEtcd();
    undo.push(() => etcd.stop());
    const one = await cli.netctl(['subnets', 'ls', '--endpoints', `${dead},${etcd.endpoints[0]}`]);
    expect(one.status).toBe(0);
  });

  it('says what is wrong with a certificate, and with http where https is spoken', async () => {
    const directory = temporaryDirectory('cli-tls');
    const ours = certificateAuthority(directory, 'ours');
    const other = certificateAuthority(directory, 'other');
    const etcd = await startEtcd({
      tls: ours.issue('server', { names: ['IP:127.0.0.1'] }),
      client: { ca: ours.ca },
    });
    undo.push(() => etcd.stop());
    const [url] = etcd.endpoints;
    const good = await cli.netctl(['subnets', 'ls'], { env: { NETCTL_ENDPOINTS: url, NETCTL_CACERT: ours.ca } });
    expect(good).toMatchObject({ status: 0, stderr: '' });
    const wrong = await expectUnreachable(url, ['--cacert', other.ca]);
    expect(wrong.stderr).toMatch(/certificate|CA/);
    await expectUnreachable(url.replace('https', 'http'), []);
  });

  it('refuses a wrong password without printing it, and takes the right one from a file', async () => {
    const etcd = await startEtcd();
    undo.push(() => etcd.stop());
    etcd.ctl(['user', 'add', 'root:right-secret']);
    etcd.ctl(['user', 'grant-role', 'root', 'root']);
    etcd.ctl(['auth', 'enable']);
    const [url] = etcd.endpoints;
    const wrong = await expectUnreachable(url, ['--user', 'root', '--etcd-api', 'v3'], {
      NETCTL_PASSWORD: 'wrong-secret',
    });
    expect(wrong.stderr).not.toContain('wrong-secret');
    const file = join(cli.home, 'password');
    writeFileSync(file, 'right-secret\n');
    chmodSync(file, 0o600);
    const right = await cli.netctl(['subnets', 'ls', '--user', 'root', '--password-file', file, '--etcd-api', 'v3'], {
      env: { NETCTL_ENDPOINTS: url },
    });
    expect(right.status).toBe(0);
    const none = await cli.netctl(['subnets', 'ls', '--user', 'root'], { env: { NETCTL_ENDPOINTS: url } });
    expect(none).toMatchObject({ status: 2, stderr: expect.stringContaining('--password-file') });
  });
});

interface Manifest {
  readonly commands: Readonly<
    Record<string, { readonly flags: Readonly<Record<string, { readonly name: string; readonly env?: string }>> }>
  >;
}

describe('the variables of flags', () => {
  it('exist for every flag of every command, and none means two things', () => {
    const manifest: Manifest = JSON.parse(readFileSync(join(root, 'oclif.manifest.json'), 'utf8'));
    const meanings = new Map<string, string>();
    for (const [id, { flags }] of Object.entries(manifest.commands)) {
      for (const { name, env } of Object.values(flags)) {
        if (name === 'help') continue;
        expect(env, `${id} --${name}`).toMatch(/^NETCTL_[A-Z0-9_]+$/);
        expect(meanings.get(env ?? '') ?? name, `${env}`).toBe(name);
        meanings.set(env ?? '', name);
      }
    }
    expect(meanings.size).toBeGreaterThan(40);
  });

  it('work for a text, a switch and a flag that can be repeated; a flag beats its variable', async () => {
    const etcd = await startEtcd();
    const cli = cliFor({ NETCTL_ENDPOINTS: etcd.endpoints[0] });
    try {
      await cli.netctl(['init-network', '10.1.0.0/16', '--backend', 'host-gw']);
      for (const index of [1, 2, 3]) {
        leaseLikeFlanneld(etcd, 'v3', `10.1.2${index}.0/24`, hostGw(`192.168.0.${index}`));
      }
      const ls = (env: Readonly<Record<string, string>>, ...argv: string[]) =>
        cli
          .netctl(['subnets', 'ls', '-o', 'name', ...argv], { env })
          .then(({ stdout }) => stdout.split('\n').filter(Boolean));
      expect(await ls({ NETCTL_SUBNETS_LS_SORT: '-subnet' })).toEqual(['10.1.23.0/24', '10.1.22.0/24', '10.1.21.0/24']);
      expect((await ls({ NETCTL_SUBNETS_LS_SORT: '-subnet' }, '--sort', 'subnet'))[0]).toBe('10.1.21.0/24');
      expect(await ls({ NETCTL_SUBNETS_LS_FILTER: 'public-ip=192.168.0.2' })).toEqual(['10.1.22.0/24']);
      expect(await ls({ NETCTL_SUBNETS_LS_FILTER: '!permanent,public-ip=192.168.0.3' })).toEqual(['10.1.23.0/24']);
      expect((await cli.netctl(['subnets', 'ls'], { env: { NETCTL_OUTPUT: 'json' } })).stdout).toContain(
        '"kind": "SubnetList"',
      );
      const dry = await cli.netctl(['init-network', '10.2.0.0/16', '--force', '--yes'], {
        env: { NETCTL_INIT_NETWORK_DRY_RUN: 'true' },
      });
      expect(dry.stderr).toContain('nothing was written');
      const vague = await cli.netctl(['subnets', 'ls'], { env: { NETCTL_SUBNETS_LS_WATCH: 'maybe' } });
      expect(vague.status).toBe(2);
      expect(vague.stderr).toContain('NETCTL_SUBNETS_LS_WATCH: "maybe" is neither yes nor no');
      const written = await cli.netctl(['init-network', '10.2.0.0/16', '-o', 'json'], {
        env: {
          NETCTL_INIT_NETWORK_BACKEND_OPTION: 'DirectRouting=true,VNI=7',
          NETCTL_INIT_NETWORK_DRY_RUN: '1',
          NETCTL_INIT_NETWORK_FORCE: '1',
        },
      });
      expect(documentOf('NetworkChange', written.stdout)).toMatchObject({
        state: 'would-change',
        network: { backend: { options: { DirectRouting: true, VNI: 7 } } },
      });
    } finally {
      cli.remove();
      await etcd.stop();
    }
  });

  it('part the values of a flag that can be repeated with commas, in every command that has one', async () => {
    const cli = cliFor({ NETCTL_ENDPOINTS: 'http://127.0.0.1:1' });
    try {
      const plan = await cli.netctl(
        ['network', 'plan', '--nodes', '9', '--containers', '9', '--within', '10.1.0.0/16'],
        {
          env: { NETCTL_NETWORK_PLAN_AVOID: '10.1.0.0/17,10.1.128.0/18' },
        },
      );
      expect(plan.stdout).toContain('10.1.192.0/');
      const validate = await cli.netctl(['network', 'validate', '-', '-o', 'json'], {
        env: { NETCTL_NETWORK_VALIDATE_AVOID: '10.8.0.0/16, 10.1.2.0/24' },
        stdin: '{"Network":"10.1.0.0/16","Backend":{"Type":"vxlan"}}',
      });
      expect(documentOf('NetworkValidation', validate.stdout).problems).toMatchObject([{ code: 'network-overlap' }]);
      const init = await cli.netctl(['config', 'init', '-'], {
        env: { NETCTL_CONFIG_INIT_NODE: 'web1=192.168.0.1,web2=192.168.0.2' },
      });
      expect(init).toMatchObject({ status: 0, stdout: expect.stringMatching(/web1[\s\S]*192\.168\.0\.1[\s\S]*web2/) });
    } finally {
      cli.remove();
    }
  });

  it('stand before those of etcdctl, and those before the default', async () => {
    const cli = cliFor({});
    try {
      const from = async (env: Readonly<Record<string, string>>) =>
        documentOf('SettingList', (await cli.netctl(['config', 'show', '-o', 'json'], { env })).stdout).items.find(
          ({ setting }) => setting === 'etcd.endpoints',
        );
      expect(
        await from({ ETCDCTL_ENDPOINTS: 'http://10.0.0.1:2379', NETCTL_ENDPOINTS: 'http://10.0.0.2:2379' }),
      ).toEqual({
        setting: 'etcd.endpoints',
        value: ['http://10.0.0.2:2379'],
        source: { kind: 'env', name: 'NETCTL_ENDPOINTS' },
      });
      expect(await from({ ETCDCTL_ENDPOINTS: 'http://10.0.0.1:2379' })).toMatchObject({
        value: ['http://10.0.0.1:2379'],
        source: { name: 'ETCDCTL_ENDPOINTS' },
      });
      expect(await from({})).toMatchObject({ source: { kind: 'default' } });
      const run = await cli.netctl(['subnets', 'ls'], { env: { ETCDCTL_ENDPOINTS: 'http://127.0.0.1:1' } });
      expect(run).toMatchObject({ status: 4, stderr: expect.stringContaining('http://127.0.0.1:1') });
    } finally {
      cli.remove();
    }
  });
});
