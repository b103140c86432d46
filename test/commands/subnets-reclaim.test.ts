import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parseFlannelVersion } from '../../src/lib/net/flannel-version';
import { readLeases } from '../../src/lib/net/lease';
import { readTombstones, tombstonesPrefix } from '../../src/lib/net/tombstone';
import { openEtcdV2 } from '../../src/lib/store/etcd-v2';
import { openEtcdV3 } from '../../src/lib/store/etcd-v3';
import type { Store } from '../../src/lib/store/store';
import { cleanEnv, node, runJs } from '../support/built';
import { cliFor } from '../support/cli';
import { documentOf } from '../support/documents';
import { type Etcd, startEtcd, until } from '../support/etcd';
import { hostGw, leaseLikeFlanneld, prefix } from '../support/flannel-leases';
import { killedAtWrite } from '../support/killed-at-write';

/** A ping for which 10.4.7.21 alone is awake: this machine has no such nodes. Real ones are in test/lab/reclaim.journey.ts. */
const ping = `#!/bin/sh
for last; do :; done
case $last in
10.4.7.21) echo "64 bytes from $last: icmp_seq=1 ttl=64 time=0.1 ms";;
*) echo '1 packets transmitted, 0 received'; exit 1;;
esac
`;

function binWithPing(home: string): string {
  const bin = join(home, 'bin');
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, 'ping'), ping);
  chmodSync(join(bin, 'ping'), 0o755);
  return `${bin}:${process.env['PATH'] ?? ''}`;
}

describe.each(['v3', 'v2'] as const)('netctl subnets reclaim and undo on etcd %s', (api) => {
  let etcd: Etcd;
  let cli: ReturnType<typeof cliFor>;
  let settings: Readonly<Record<string, string>>;

  const ctl = (...args: readonly string[]) => etcd.ctl(args, { api: api === 'v3' ? 3 : 2 });
  const netctl = (...argv: readonly string[]) => cli.netctl(argv, { env: settings });
  const subnets = async () => (await netctl('subnets', 'ls', '-o', 'name')).stdout.trim().split('\n');
  const dead = (subnet: string, publicIP: string, ttlSeconds = 1500) =>
    leaseLikeFlanneld(etcd, api, subnet, hostGw(publicIP), { ttlSeconds });
  const wipe = () => {
    for (const folder of [prefix, `${prefix}-netctl`]) {
      try {
        ctl(...(api === 'v3' ? ['del', '--prefix', `${folder}/`] : ['rm', '--recursive', folder]));
      } catch {
        // Nothing is there before the first test.
      }
    }
  };

  beforeAll(async () => {
    etcd = await startEtcd();
    cli = cliFor({ NETCTL_ENDPOINTS: etcd.endpoints[0], NETCTL_ETCD_API: api });
    settings = { PATH: binWithPing(cli.home) };
  });
  beforeEach(async () => {
    wipe();
    await netctl('init-network', '10.1.0.0/16', '--backend', 'host-gw');
    leaseLikeFlanneld(etcd, api, '10.1.21.0/24', hostGw('10.4.7.21'));
  });
  afterAll(async () => {
    cli.remove();
    await etcd.stop();
  });

  it('takes away what is proven gone, and says it again as a document', async () => {
    const key = dead('10.1.22.0/24', '10.4.7.22');
    const plan = documentOf(
      'SubnetReclaimList',
      (await netctl('subnets', 'reclaim', '--dead', '--dry-run', '-o', 'json')).stdout,
    );
    expect(plan).toMatchObject({ api, prefix, applied: false, alive: 1, max: 1 });
    expect(plan.items).toMatchObject([{ subnet: '10.1.22.0/24', key, verdict: 'proven-gone', state: 'planned' }]);
    expect(plan.items[0]?.evidence.map(({ name, speaks }) => `${name} ${speaks}`)).toEqual([
      'ttl gone',
      'inventory unknown',
      'flanneld unknown',
      'public-ip gone',
      'overlay unknown',
      'traffic unknown',
    ]);
    expect(await subnets()).toEqual(['10.1.21.0/24', '10.1.22.0/24']);

    const done = await netctl('subnets', 'reclaim', '--dead', '--yes');
    expect(done).toMatchObject({ status: 0, stderr: '' });
    expect(done.stdout).toContain('10.1.22.0/24  10.4.7.22  reclaimed, and looked at again');
    expect(await subnets()).toEqual(['10.1.21.0/24']);
    const again = await netctl('subnets', 'reclaim', '10.1.22.0/24', '--yes');
    expect(again).toMatchObject({ status: 0, stdout: 'Nothing to reclaim\n' });
    expect(again.stderr).toContain('nobody holds 10.1.22.0/24');
  });

  it('a node that answers is left, whoever names it', async () => {
    dead('10.1.24.0/24', '10.4.7.21');
    const { status, stdout } = await netctl('subnets', 'reclaim', '10.1.24.0/24', '--yes');
    expect(status).toBe(3);
    expect(stdout).toContain('left: it lives');
    expect(stdout).toMatch(/- public-ip +10\.4\.7\.21 answers this machine/);
    expect(await subnets()).toContain('10.1.24.0/24');
  });

  it('without a person and without --yes nothing is taken away', async () => {
    dead('10.1.22.0/24', '10.4.7.22');
    const { status, stderr } = await netctl('subnets', 'reclaim', '--dead');
    expect(status).toBe(3);
    expect(stderr).toContain('proven gone, to be reclaimed');
    expect(stderr).toContain('not-confirmed');
    expect(await subnets()).toContain('10.1.22.0/24');
  });

  it('asks which leases are meant', async () => {
    expect(await netctl('subnets', 'reclaim')).toMatchObject({ status: 2 });
    expect(await netctl('subnets', 'reclaim', '--dead', '10.1.22.0/24')).toMatchObject({ status: 2 });
    const { status, stderr } = await netctl('subnets', 'reclaim', 'web7');
    expect(status).toBe(2);
    expect(stderr).toContain('bad-subnet-query');
  });

  it('a reserved subnet is kept', async () => {
    await netctl('subnets', 'reserve', '10.1.22.0/24', '--public-ip', '10.4.7.22', '--yes');
    dead('10.1.22.0/24', '10.4.7.22');
    const { status, stdout } = await netctl('subnets', 'reclaim', '10.1.22.0/24', '--yes');
    expect(status).toBe(3);
    expect(stdout).toContain('left: it is kept');
    expect(await subnets()).toContain('10.1.22.0/24');
  });

  it('no more than --max go at once, and when many look dead only those that are named', async () => {
    for (const number of [31, 32, 33, 34]) dead(`10.1.${number}.0/24`, `10.4.7.${number}`);
    const refused = await netctl('subnets', 'reclaim', '--dead', '--yes');
    expect(refused.status).toBe(3);
    expect(refused.stderr).toContain('mass-death');
    const shown = await netctl('subnets', 'reclaim', '--dead', '--dry-run');
    expect(shown.stderr).toContain('4 of 5 leases look dead at once');
    // A range names none of the leases in it.
    const range = await netctl('subnets', 'reclaim', '10.1.32.0/20', '--yes');
    expect([range.status, range.stderr]).toEqual([3, expect.stringContaining('mass-death')]);
    const named = ['10.1.31.0/24', '10.1.32.0/24', '10.1.33.0/24'];
    const done = await netctl('subnets', 'reclaim', ...named, '--yes', '--max', '2');
    expect(done.stdout).toContain('2 reclaimed, 1 over --max');
    expect(await subnets()).toEqual(['10.1.21.0/24', '10.1.33.0/24', '10.1.34.0/24']);
  });

  it('undo lists what went and puts it back as it was, with its time', async () => {
    const key = dead('10.1.22.0/24', '10.4.7.22', 1500);
    const value = ctl('get', ...(api === 'v3' ? ['--print-value-only'] : []), key);
    await netctl('subnets', 'reclaim', '--dead', '--yes');
    const list = documentOf('SubnetUndoList', (await netctl('subnets', 'undo', '-o', 'json')).stdout);
    expect(list.items).toMatchObject([{ subnet: '10.1.22.0/24', publicIP: '10.4.7.22', state: 'free', key }]);
    expect(list.items[0]?.ttlSeconds).toBeGreaterThan(1400);

    expect((await netctl('subnets', 'undo', '10.1.22.0/24')).status).toBe(3);
    const done = await netctl('subnets', 'undo', '10.1.22.0/24', '--yes');
    expect(done.status).toBe(0);
    expect(done.stdout).toMatch(/10\.1\.22\.0\/24 .* restored/);
    expect(ctl('get', ...(api === 'v3' ? ['--print-value-only'] : []), key)).toBe(value);
    const left = documentOf('SubnetList', (await netctl('subnets', 'ls', '-o', 'json')).stdout);
    expect(left.items.find(({ subnet }) => subnet === '10.1.22.0/24')?.expiresInSeconds).toBeLessThanOrEqual(1500);

    const again = await netctl('subnets', 'undo', '10.1.22.0/24', '--yes');
    expect(again).toMatchObject({ status: 0, stdout: '' });
    expect(again.stderr).toContain('nothing to put back');
    expect((await netctl('subnets', 'undo', '10.1.77.0/24', '--yes')).stderr).toContain('nothing-to-undo');
  });

  it('undo gives nobody a subnet that somebody has by now', async () => {
    dead('10.1.22.0/24', '10.4.7.22');
    await netctl('subnets', 'reclaim', '--dead', '--yes');
    // A part of it, under another key: the guard on the key alone would not see that.
    leaseLikeFlanneld(etcd, api, '10.1.22.128/25', hostGw('10.4.7.77'));
    const { status, stdout } = await netctl('subnets', 'undo', '10.1.22.0/24', '--yes');
    expect(status).toBe(3);
    expect(stdout).toContain('10.4.7.77 holds 10.1.22.128/25');
    expect(await subnets()).toEqual(['10.1.21.0/24', '10.1.22.128/25']);
  });

  it('undo writes nothing that flanneld cannot read, whatever the record says', async () => {
    dead('10.1.22.0/24', '10.4.7.22');
    await netctl('subnets', 'reclaim', '--dead', '--yes');
    const own = `${prefix}-netctl/deleted/`;
    const names = ctl(...(api === 'v3' ? ['get', '--prefix', '--keys-only', own] : ['ls', own]));
    const name = names.split('\n').find((line) => line.startsWith(own)) ?? '';
    const record = ctl('get', ...(api === 'v3' ? ['--print-value-only'] : []), name);
    for (const change of [
      { valueBase64: Buffer.from('rubbish').toString('base64') },
      { key: `${prefix}/subnets/nonsense` },
      { key: `${prefix}/config` },
      { key: `${prefix}/subnets/../config` },
    ]) {
      const bent: unknown = { ...JSON.parse(record), ...change };
      etcd.ctl([api === 'v3' ? 'put' : 'set', name], { api: api === 'v3' ? 3 : 2, input: JSON.stringify(bent) });
      const { status, stdout } = await netctl('subnets', 'undo', '10.1.22.0/24', '--yes');
      expect([status, stdout]).toEqual([3, expect.stringContaining('unreadable')]);
    }
    expect(await subnets()).toEqual(['10.1.21.0/24']);
  });

  it('two reports: the same cluster, long enough apart, gone in both, and not written since', async () => {
    dead('10.1.22.0/24', '10.4.7.22');
    const key = dead('10.1.23.0/24', '10.4.7.23');
    expect((await netctl('subnets', 'check', '--report', 'a.json')).stderr).toContain('wrote a.json');
    expect((await netctl('subnets', 'check', '-o', 'a.json')).stderr).toContain('file-exists');
    documentOf('SubnetCheck', readFileSync(join(cli.home, 'a.json'), 'utf8'));
    // -o json is the same document.
    const second = await netctl('subnets', 'check', '--evidence', '-o', 'json');
    writeFileSync(join(cli.home, 'b.json'), second.stdout);
    const both = (...more: readonly string[]) =>
      netctl(
        'subnets',
        'reclaim',
        '--from-report',
        'a.json',
        '--from-report',
        'b.json',
        '--yes',
        '--max',
        '9',
        ...more,
      );
    expect((await netctl('subnets', 'reclaim', '--from-report', 'a.json')).stderr).toContain('too-few-reports');
    expect((await both()).stderr).toContain('reports-too-close');

    // Its owner renews between the reports and now.
    leaseLikeFlanneld(etcd, api, '10.1.23.0/24', hostGw('10.4.7.23'), { ttlSeconds: 1400 });
    const done = await both('--min-gap', '0');
    expect(done).toMatchObject({ status: 0, stderr: '' });
    expect(done.stdout).toContain('1 reclaimed');
    expect(await subnets()).toEqual(['10.1.21.0/24', '10.1.23.0/24']);
    expect(key).toContain('10.1.23.0-24');

    const other = readFileSync(join(cli.home, 'a.json'), 'utf8').replace(/"clusterId": "[^"]*"/, '"clusterId": "1"');
    writeFileSync(join(cli.home, 'a.json'), other);
    const refused = await both('--min-gap', '0');
    expect(refused.status).toBe(3);
    expect(refused.stderr).toContain('other-cluster');
    writeFileSync(join(cli.home, 'a.json'), '{"apiVersion":"netctl/v1","kind":"SubnetCheck"');
    expect((await both()).stderr).toContain('bad-report');
  });
});

describe('netctl subnets reclaim on three members', () => {
  let etcd: Etcd;
  let cli: ReturnType<typeof cliFor>;
  let settings: Readonly<Record<string, string>>;
  const netctl = (...argv: readonly string[]) => cli.netctl(argv, { env: settings });

  beforeAll(async () => {
    etcd = await startEtcd({ members: 3 });
    cli = cliFor({ NETCTL_ENDPOINTS: etcd.endpoints.join(','), NETCTL_ETCD_API: 'v3', NETCTL_TIMEOUT: '2' });
    settings = { PATH: binWithPing(cli.home) };
    await netctl('init-network', '10.1.0.0/16', '--backend', 'host-gw');
    leaseLikeFlanneld(etcd, 'v3', '10.1.21.0/24', hostGw('10.4.7.21'));
    for (const number of [22, 23]) {
      leaseLikeFlanneld(etcd, 'v3', `10.1.${number}.0/24`, hostGw(`10.4.7.${number}`), { ttlSeconds: 1500 });
    }
  });
  afterAll(async () => {
    cli.remove();
    await etcd.stop();
  });

  it('of two at once one does the work, and the other says who does', async () => {
    const runs = await Promise.all([1, 2].map(() => netctl('subnets', 'reclaim', '10.1.22.0/24', '--yes')));
    const [best, other] = runs.sort((a, b) => (a.status ?? 99) - (b.status ?? 99));
    expect(best?.status).toBe(0);
    // The other came while it was done, or behind it.
    expect([0, 6]).toContain(other?.status);
    if (other?.status === 6) expect(`${other.stdout}${other.stderr}`).toMatch(/locked|written meanwhile/);
    expect((await netctl('subnets', 'ls', '-o', 'name')).stdout).toBe('10.1.21.0/24\n10.1.23.0/24\n');
    const list = documentOf('SubnetUndoList', (await netctl('subnets', 'undo', '-o', 'json')).stdout);
    expect(list.items.map(({ subnet }) => subnet)).toEqual(['10.1.22.0/24']);
  });

  it('a member that is away is said; without a quorum nothing is judged; then it goes on', async () => {
    const [, second, third] = etcd.members;
    await third?.kill();
    const warned = await netctl('subnets', 'reclaim', '10.1.23.0/24', '--dry-run');
    expect(warned.stderr).toMatch(/note: http:\/\/127\.0\.0\.1:\d+ does not answer/);
    await second?.kill();
    const refused = await netctl('subnets', 'reclaim', '10.1.23.0/24', '--yes');
    expect([3, 4]).toContain(refused.status);
    await Promise.all([second?.restart(), third?.restart()]);
    expect((await netctl('subnets', 'ls', '-o', 'name')).stdout).toContain('10.1.23.0/24');
    await until('etcd is calm again', async () => {
      const { status } = await netctl('subnets', 'reclaim', '10.1.23.0/24', '--yes');
      return status === 0;
    });
    expect((await netctl('subnets', 'ls', '-o', 'name')).stdout).toBe('10.1.21.0/24\n');
  }, 60_000);

  it('an alarm of etcd stops it', async () => {
    const small = await startEtcd({ quotaBytes: 8 * 1024 * 1024 });
    try {
      leaseLikeFlanneld(small, 'v3', '10.1.21.0/24', hostGw('10.4.7.21'));
      leaseLikeFlanneld(small, 'v3', '10.1.24.0/24', hostGw('10.4.7.24'), { ttlSeconds: 1500 });
      const big = 'x'.repeat(1_000_000);
      for (let key = 0; key < 12; key += 1) {
        try {
          small.ctl(['put', `/big/${key}`], { input: big });
        } catch {
          break;
        }
      }
      expect(small.ctl(['alarm', 'list'])).toContain('NOSPACE');
      const { status, stderr } = await netctl(
        'subnets',
        'reclaim',
        '--dead',
        '--yes',
        '--endpoints',
        small.endpoints[0],
      );
      expect(status).toBe(3);
      expect(stderr).toContain('etcd-not-calm');
      expect(stderr).toContain('NOSPACE');
    } finally {
      await small.stop();
    }
  }, 60_000);
});

describe('netctl subnets reclaim killed at every write', () => {
  // etcd v2 speaks HTTP, so that the relay sees each write as one request: the run is killed just before and just after it.
  const lease = '10.1.22.0/24';

  it('leaves nothing that the next run does not finish, and loses no record', async () => {
    const etcd = await startEtcd();
    const store = await openEtcdV2({ endpoints: etcd.endpoints, timeoutMs: 5000 });
    const cli = cliFor({ NETCTL_ETCD_API: 'v2' });
    const path = { PATH: binWithPing(cli.home) };
    const direct = { ...path, NETCTL_ENDPOINTS: etcd.endpoints[0] };
    const netctl = (...argv: readonly string[]) => cli.netctl(argv, { env: direct });
    try {
      await netctl('init-network', '10.1.0.0/16', '--backend', 'host-gw');
      leaseLikeFlanneld(etcd, 'v2', '10.1.21.0/24', hostGw('10.4.7.21'));
      const port = Number(new URL(etcd.endpoints[0]).port);
      let writes = 0;
      for (let kill = 1; ; kill += 1) {
        leaseLikeFlanneld(etcd, 'v2', lease, hostGw('10.4.7.99'), { ttlSeconds: 1500 });
        const run = await killedAtWrite(['subnets', 'reclaim', lease, '--yes'], kill, {
          port,
          home: cli.home,
          env: path,
        });
        writes = Math.max(writes, run.writes);
        if (!run.wasKilled) break;

        // Whatever was cut off: no lease is away without its record, and flanneld can read what is there.
        const { there, kept, unreadable } = await look(store);
        expect([...there, ...kept], `moment ${kill}`).toContain(lease);
        expect(unreadable).toEqual([]);

        const next = await netctl('subnets', 'reclaim', lease, '--yes', '--break-lock');
        expect(next.status, `moment ${kill}: ${next.stdout}${next.stderr}`).toBe(0);
        expect((await look(store)).there).toEqual(['10.1.21.0/24']);
        const back = await netctl('subnets', 'undo', lease, '--yes', '--break-lock');
        expect(back.stdout, `moment ${kill}: ${back.stderr}`).toContain('restored');
      }
      // The lock, the record, the deletion, the lock again.
      expect(writes).toBeGreaterThanOrEqual(4);
    } finally {
      store.close();
      cli.remove();
      await etcd.stop();
    }
  }, 120_000);

  it('in etcd v3 as well, where it is killed as soon as somebody sees the write', async () => {
    const etcd = await startEtcd();
    const store = await openEtcdV3({ endpoints: etcd.endpoints, timeoutMs: 5000 });
    const cli = cliFor({ NETCTL_ETCD_API: 'v3', NETCTL_ENDPOINTS: etcd.endpoints[0] });
    const env = { PATH: binWithPing(cli.home), NETCTL_ETCD_API: 'v3', NETCTL_ENDPOINTS: etcd.endpoints[0] };
    const netctl = (...argv: readonly string[]) => cli.netctl(argv, { env });
    try {
      await netctl('init-network', '10.1.0.0/16', '--backend', 'host-gw');
      leaseLikeFlanneld(etcd, 'v3', '10.1.21.0/24', hostGw('10.4.7.21'));
      // The lock, the record, the deletion, the lock again.
      for (let kill = 1; kill <= 4; kill += 1) {
        leaseLikeFlanneld(etcd, 'v3', lease, hostGw('10.4.7.99'), { ttlSeconds: 1500 });
        const from = (await store.get('/')).revision;
        const run = spawn(node, [runJs, 'subnets', 'reclaim', lease, '--yes', '--break-lock'], {
          env: cleanEnv(cli.home, env),
          cwd: cli.home,
          stdio: 'ignore',
        });
        const ended = new Promise((resolve) => run.once('exit', resolve));
        const looking = new AbortController();
        void ended.then(() => looking.abort());
        let seen = 0;
        for await (const batch of store.watch(prefix, { from, signal: looking.signal })) {
          seen += batch.type === 'events' ? batch.events.length : 0;
          if (seen >= kill) run.kill('SIGKILL');
        }
        await ended;
        expect(seen).toBeGreaterThanOrEqual(kill);

        const { there, kept, unreadable } = await look(store);
        expect([...there, ...kept], `write ${kill}`).toContain(lease);
        expect(unreadable).toEqual([]);
        const next = await netctl('subnets', 'reclaim', lease, '--yes', '--break-lock');
        expect(next.status, `write ${kill}: ${next.stdout}${next.stderr}`).toBe(0);
        expect((await look(store)).there).toEqual(['10.1.21.0/24']);
        const back = await netctl('subnets', 'undo', lease, '--yes', '--break-lock');
        expect(back.stdout, `write ${kill}: ${back.stderr}`).toContain('restored');
      }
    } finally {
      store.close();
      cli.remove();
      await etcd.stop();
    }
  }, 60_000);

  async function look(store: Store) {
    const { leases: there, unreadable } = readLeases(
      await store.snapshot(`${prefix}/`),
      prefix,
      parseFlannelVersion(store.api === 'v3' ? 'v0.28.9' : 'v0.11.0'),
    );
    const kept = readTombstones((await store.snapshot(tombstonesPrefix(prefix))).entries, prefix);
    return {
      there: there.map(({ subnetText }) => subnetText),
      kept: kept.map(({ subnet }) => subnet),
      unreadable,
    };
  }
});
