import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { historyKey } from '../../src/lib/net/own-keys';
import { writeHistoryRecord } from '../../src/lib/plan/network-history';
import { cliFor } from '../support/cli';
import { documentOf } from '../support/documents';
import { type Etcd, startEtcd } from '../support/etcd';
import { leaseLikeFlanneld, prefix, vxlan } from '../support/flannel-leases';
import { netctlOnTerminal } from '../support/terminal';

let etcd: Etcd;
let cli: ReturnType<typeof cliFor>;

beforeAll(async () => {
  etcd = await startEtcd();
  cli = cliFor({ NETCTL_ENDPOINTS: etcd.endpoints[0], NETCTL_ETCD_API: 'v3' });
});
beforeEach(() => void etcd.ctl(['del', '--prefix', '/']));
afterAll(async () => {
  cli.remove();
  await etcd.stop();
});

const put = (config: string) => etcd.ctl(['put', `${prefix}/config`], { input: config });
const stored = () => etcd.ctl(['get', '--print-value-only', `${prefix}/config`]).trimEnd();
const file = (text: string): string => {
  const path = join(cli.home, 'net-conf.json');
  writeFileSync(path, text);
  return path;
};

describe('netctl network show', () => {
  it('shows what flanneld makes of the config, how full it is, and what comes next', async () => {
    put('{"Network":"10.1.0.0/24","SubnetLen":26,"Backend":{"Type":"vxlan","DirectRouting":true}}');
    leaseLikeFlanneld(etcd, 'v3', '10.1.0.64/26', vxlan('192.168.0.1', '0e:00:00:00:00:01'));
    const { status, stdout } = await cli.netctl(['network', 'show']);
    expect(status).toBe(0);
    expect(stdout).toContain('verdict:   accepted by flannel v0.28.9');
    expect(stdout).toContain('backend:   vxlan (DirectRouting=true)');
    expect(stdout).toContain('in use:  1 of 3 subnets (33.3 %)');
    expect(stdout).toContain('next:    10.1.0.128/26, 10.1.0.192/26');
    const document = documentOf('Network', (await cli.netctl(['network', 'show', '-o', 'json'])).stdout);
    expect(document).toMatchObject({
      endpoint: etcd.endpoints[0],
      valid: true,
      leases: 1,
      capacity: { total: 3, used: 1, free: 2, next: ['10.1.0.128/26', '10.1.0.192/26'] },
      facts: { subnetCount: 3, mtu: 1450 },
    });
    expect((await cli.netctl(['network', 'show', '-o', 'name'])).stdout).toBe(`${prefix}\n`);
    expect((await cli.netctl(['network', 'show', '-o', 'csv'])).stdout).toContain('effective.backend.type,vxlan\n');
  });

  it('shows a config that flanneld refuses as it is, with the reason', async () => {
    put('{"Network":"10.1.0.0/16","SubnetLen":40}');
    const { status, stdout } = await cli.netctl(['network', 'show']);
    expect(status).toBe(0);
    expect(stdout).toContain('refused by flannel v0.28.9');
    expect(stdout).toContain('{"Network":"10.1.0.0/16","SubnetLen":40}');
    const document = documentOf('Network', (await cli.netctl(['network', 'show', '-o', 'json'])).stdout);
    expect(document).toMatchObject({ valid: false, effective: null, facts: null, capacity: null });
  });
});

describe('netctl network validate', () => {
  const validate = async (argv: readonly string[], stdin?: string) => {
    const words = ['network', 'validate', ...argv, '-o', 'json'];
    const run = await cli.netctl(words, stdin === undefined ? {} : { stdin });
    return { status: run.status, ...documentOf('NetworkValidation', run.stdout) };
  };
  const good = '{"Network":"10.1.0.0/16","Backend":{"Type":"vxlan"}}';
  const bad = '{"Network":"10.1.0.0/16","SubnetLen":17,"Backend":{"Type":"vxlan"}}';

  it('judges a file, standard input and what is in etcd alike', async () => {
    put(bad);
    for (const [argv, stdin] of [[[file(bad)]], [['-'], bad], [['--live']]] as const) {
      const found = await validate(argv, stdin);
      expect(found).toMatchObject({ status: 2, valid: false, effective: null });
      expect(found.problems.map(({ severity }) => severity)).toContain('error');
    }
    expect(await validate(['-'], good)).toMatchObject({ status: 0, valid: true, problems: [] });
    const text = await cli.netctl(['network', 'validate', '--live']);
    expect(text.status).toBe(2);
    expect(text.stdout).toContain('which tries again every second');
    expect(text.stdout).toMatch(/flanneld says: .*must be able to accommodate at least four subnets/);
  });

  it('judges by the release that is named', async () => {
    // Before v0.10 a /30 was large enough; since then four subnets must fit.
    const small = '{"Network":"10.0.0.0/30","Backend":{"Type":"vxlan"}}';
    expect(await validate(['-', '--flannel', 'v0.9.1'], small)).toMatchObject({ status: 0, flannel: 'v0.9.1' });
    expect(await validate(['-'], small)).toMatchObject({ status: 2, valid: false });
    expect(await cli.netctl(['network', 'validate', '-', '--flannel', 'newest'], { stdin: small })).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('bad-flannel-version'),
    });
  });

  it('warns of what people regret without refusing it', async () => {
    const found = await validate([
      file('{"Network":"10.0.0.0/8","SubnetMin":"10.0.1.0","SudbnetMax":"10.0.20.0"}'),
      '--avoid',
      '10.9.0.0/16',
    ]);
    expect(found).toMatchObject({ status: 0, valid: true, effective: { subnetMax: '10.255.255.0' } });
    const codes = found.problems.map(({ code }) => code);
    expect(codes).toEqual(expect.arrayContaining(['implicit-udp', 'misspelt-key', 'network-overlap']));
    expect(found.problems.find(({ code }) => code === 'misspelt-key')?.suggestion).toContain('SubnetMax');
  });

  it('prints a JSON Schema for editors without asking etcd', async () => {
    const run = await cli.netctl(['network', 'validate', '--schema'], {
      env: { NETCTL_ENDPOINTS: 'http://127.0.0.1:1' },
    });
    expect(run).toMatchObject({ status: 0, stderr: '' });
    const check = new Ajv2020({ strict: false, validateFormats: false }).compile(JSON.parse(run.stdout));
    expect(check(JSON.parse(good))).toBe(true);
    expect(check({ Network: 7 })).toBe(false);
  });

  it.each([
    [[], 'config-source'],
    [['--live', 'net-conf.json'], 'config-source'],
    [['no-such.json'], 'there is no such file'],
    [['/'], 'it is a directory'],
  ])('refuses %j with exit code 2: %s', async (argv, words) => {
    put(good);
    const run = await cli.netctl(['network', 'validate', ...argv]);
    expect(run).toMatchObject({ status: 2, stdout: '', stderr: expect.stringContaining(words) });
  });
});

describe('netctl network plan', () => {
  const plan = async (argv: readonly string[]) =>
    documentOf('NetworkLayoutList', (await cli.netctl(['network', 'plan', ...argv, '-o', 'json'])).stdout).items;

  it('recommends a layout that init-network takes', async () => {
    const { stdout, stderr, status } = await cli.netctl(['network', 'plan', '--nodes', '40', '--containers', '100']);
    expect(status).toBe(0);
    expect(stdout).toContain('recommended');
    const next = /^Next: netctl (.+)$/m.exec(stderr)?.[1]?.split(' ') ?? [];
    expect(next[0]).toBe('init-network');
    expect(await cli.netctl(next)).toMatchObject({ status: 0 });
    const shown = documentOf('Network', (await cli.netctl(['network', 'show', '-o', 'json'])).stdout);
    expect(shown.capacity?.total).toBeGreaterThanOrEqual(40);
    expect(shown.facts?.containersPerNode).toBeGreaterThanOrEqual(100);
  });

  it('counts in growth, the leases of nodes that are gone, and what must be avoided', async () => {
    const base = ['--nodes', '100', '--containers', '30'];
    const [plain] = await plan(base);
    const [churning] = await plan([...base, '--growth', '50%', '--churn', '200', '--within', '10.0.0.0/8']);
    expect(plain?.needed).toBe(100);
    expect(churning?.needed).toBe(350);
    const avoiding = await plan([...base, '--within', '10.1.0.0/16', '--avoid', '10.1.0.0/17']);
    for (const { network } of avoiding) expect(network).toMatch(/^10\.1\.(12[89]|1[3-9]\d|2\d\d)\./);
  });

  it.each([
    [['--nodes', '40'], '--containers'],
    [['--nodes', '0', '--containers', '1'], '--nodes'],
    [['--nodes', '40', '--containers', '100', '--churn', 'many'], '--churn "many"'],
    [['--nodes', '40', '--containers', '100', '--growth', 'much'], 'bad-share'],
    [['--nodes', '40000000', '--containers', '100'], 'capacity-impossible'],
  ])('refuses %j with exit code 2 and names %s', async (argv, words) => {
    const run = await cli.netctl(['network', 'plan', ...argv]);
    expect(run).toMatchObject({ status: 2, stdout: '', stderr: expect.stringContaining(words) });
  });
});

describe('netctl network history and rollback', () => {
  it('keeps each config that netctl replaced, byte for byte, and brings back any of them', async () => {
    const odd = '{ "network" : "10.1.0.0/16",\n\t"Backend": {"Type": "host-gw"} }';
    put(odd);
    const first = documentOf('NetworkHistoryList', (await cli.netctl(['network', 'history', '-o', 'json'])).stdout);
    expect(first.items).toMatchObject([{ state: 'current', replacedAt: null, valid: true }]);
    await cli.netctl(['init-network', '10.2.0.0/16', '--force', '--yes']);
    await cli.netctl(['init-network', '10.3.0.0/16', '--force', '--yes']);
    const { items } = documentOf('NetworkHistoryList', (await cli.netctl(['network', 'history', '-o', 'json'])).stdout);
    expect(items.map(({ state }) => state)).toEqual(['current', 'replaced', 'replaced']);
    expect(items.map(({ config }) => config)).toEqual([
      expect.stringContaining('10.3.0.0/16'),
      expect.stringContaining('10.2.0.0/16'),
      odd,
    ]);
    expect(items[2]?.replacedBy).toMatch(/.+@.+/);
    const table = await cli.netctl(['network', 'history']);
    expect(table.stdout.trimEnd().split('\n')).toHaveLength(4);

    const oldest = items[2]?.revision ?? '';
    const dry = await cli.netctl(['network', 'rollback', oldest, '--dry-run', '-o', 'json']);
    expect(documentOf('NetworkChange', dry.stdout)).toMatchObject({ state: 'would-change', after: odd });
    expect(stored()).toContain('10.3.0.0/16');
    const back = await cli.netctl(['network', 'rollback', oldest, '--force', '--yes', '-o', 'json']);
    expect(documentOf('NetworkChange', back.stdout)).toMatchObject({ state: 'changed' });
    expect(stored()).toBe(odd);
    const again = await cli.netctl(['network', 'rollback', oldest, '--force', '--yes', '-o', 'json']);
    expect(documentOf('NetworkChange', again.stdout)).toMatchObject({ state: 'unchanged' });
  });

  it('keeps what it replaces also where the backup of another etcd left a record of that revision', async () => {
    const texts = async () =>
      documentOf('NetworkHistoryList', (await cli.netctl(['network', 'history', '-o', 'json'])).stdout).items.map(
        ({ config }) => /10\.\d+\.0\.0/.exec(config)?.[0],
      );
    const restored = (revision: string, network: string, key = revision) =>
      etcd.ctl([
        'put',
        historyKey(prefix, key),
        Buffer.from(
          writeHistoryRecord({
            revision,
            config: Buffer.from(JSON.stringify({ Network: network, Backend: { Type: 'ipsec', PSK: 'a'.repeat(96) } })),
            replacedAt: '2026-01-02T03:04:05.000Z',
            replacedBy: 'a@b',
            command: 'netctl restore',
          }),
        ).toString(),
      ]);
    // They are written first, as a restore does; the numbers are those of an etcd that had seen much more.
    restored('90000', '10.7.0.0/16');
    await cli.netctl(['init-network', '10.1.0.0/16']);
    const { items } = documentOf('NetworkHistoryList', (await cli.netctl(['network', 'history', '-o', 'json'])).stdout);
    const current = items[0]?.revision ?? '';
    restored(current, '10.8.0.0/16');
    etcd.ctl(['put', historyKey(prefix, String(Number(current) + 1)), 'nonsense']);
    expect((await cli.netctl(['init-network', '10.2.0.0/16', '--force', '--yes'])).status).toBe(0);
    expect(await texts()).toEqual(['10.2.0.0', '10.1.0.0', '10.8.0.0', '10.7.0.0']);
    const last = await cli.netctl(['network', 'rollback', '--dry-run', '-o', 'json']);
    expect(documentOf('NetworkChange', last.stdout).after).toContain('10.1.0.0/16');
    const twice = await cli.netctl(['network', 'rollback', current, '--yes']);
    expect(twice).toMatchObject({ status: 2, stderr: expect.stringContaining('(revision-twice;') });
    expect(twice.stderr).toContain('10.8.0.0/16');
    expect(twice.stderr).not.toContain('a'.repeat(96));
  });

  it('ends by Ctrl-C at its question as by a signal, with nothing written', async () => {
    await cli.netctl(['init-network', '10.1.0.0/16']);
    const terminal = netctlOnTerminal(['init-network', '10.2.0.0/16', '--force'], {
      home: cli.home,
      env: { NETCTL_ENDPOINTS: etcd.endpoints[0], NETCTL_ETCD_API: 'v3' },
    });
    await terminal.shows('[y/N]');
    terminal.type('\x03');
    const { status, before, after } = await terminal.ended;
    expect({ status, after }).toEqual({ status: 130, after: before });
    expect(terminal.shown()).not.toContain('not-confirmed');
    expect(stored()).toContain('10.1.0.0/16');
  });

  it('refuses to take a subnet away from a node without --force', async () => {
    await cli.netctl(['init-network', '10.1.0.0/16']);
    await cli.netctl(['init-network', '10.2.0.0/16', '--force', '--yes']);
    leaseLikeFlanneld(etcd, 'v3', '10.2.21.0/24', vxlan('192.168.0.1', '0e:00:00:00:00:01'));
    const run = await cli.netctl(['network', 'rollback', '--yes']);
    expect(run).toMatchObject({ status: 3, stderr: expect.stringContaining('netctl network rollback … --force') });
    expect(run.stdout).toContain('lost: outside the network');
    expect(stored()).toContain('10.2.0.0/16');
  });

  it('says so when there is nothing to bring back', async () => {
    for (const argv of [
      ['network', 'rollback'],
      ['network', 'rollback', '7'],
    ]) {
      expect(await cli.netctl(argv)).toMatchObject({ status: 2, stderr: expect.stringContaining('no-such-revision') });
    }
    expect(await cli.netctl(['network', 'history'])).toMatchObject({
      status: 0,
      stdout: 'There is no network config, and netctl has replaced none.\n',
    });
  });
});

describe('the other commands that print data', () => {
  it('print documents of their published kinds', async () => {
    const inventory = join(cli.home, 'good.yaml');
    writeFileSync(inventory, 'network:\n  cidr: 10.1.0.0/16\nnodes:\n  - { name: web1, address: 192.168.0.1 }\n');
    const print = async (...argv: string[]) => (await cli.netctl([...argv, '-o', 'json'])).stdout;
    expect(documentOf('InventoryValidation', await print('config', 'validate', inventory)).valid).toBe(true);
    const settings = documentOf('SettingList', await print('config', 'show', '--config', inventory));
    expect(settings.inventory).toEqual({ file: inventory, by: '--config' });
    expect(documentOf('SettingList', await print('config', 'show')).inventory).toBe(null);
    expect(documentOf('Topic', await print('explain', 'no-config'))).toMatchObject({ code: 'no-config', exit: 2 });
    expect(documentOf('TopicList', await print('explain')).items.length).toBeGreaterThan(50);
    const { stderr } = await cli.netctl(['network', 'show', '-o', 'json']);
    expect(documentOf('Error', stderr)).toMatchObject({ code: 'no-config', exit: 2 });
  });
});
