import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type TakeLock, takeOperatorLock } from '../../src/lib/engine/operator-lock';
import { removeLeases } from '../../src/lib/engine/remove-leases';
import { NetctlError } from '../../src/lib/errors';
import { formatBackup, type NetworkBackup } from '../../src/lib/net/backup-file';
import { newestFlannel } from '../../src/lib/net/flannel-version';
import { readLease, readLeases } from '../../src/lib/net/lease';
import { lockKey } from '../../src/lib/net/own-keys';
import { readTombstones, tombstonesPrefix } from '../../src/lib/net/tombstone';
import { planRemoval } from '../../src/lib/plan/reclaim';
import { openEtcdV3 } from '../../src/lib/store/etcd-v3';
import type { Store } from '../../src/lib/store/store';
import { cleanEnv, type Ended, node, runJs } from '../support/built';
import { cliFor } from '../support/cli';
import { type Etcd, sleep, startEtcd, until } from '../support/etcd';
import { hostGw, prefix } from '../support/flannel-leases';

/*
 * Several operators, operators that are killed, and an etcd of three members of which some are killed and restarted meanwhile.
 */

const config = '{"Network":"10.5.0.0/16","Backend":{"Type":"host-gw"}}';
const takeAtOnce: TakeLock = {
  breakLock: false,
  isGone: () => false,
  waitSeconds: 0,
  waiting: () => {},
  ttlSeconds: 10,
  breaking: () => {},
  lost: () => {},
};

function backupOf(leases: number): string {
  const backup: NetworkBackup = {
    head: {
      madeAt: '2026-11-20T12:00:00.000Z',
      madeBy: 'anna@ops',
      netctl: '1',
      api: 'v3',
      clusterId: '1',
      prefix,
      revision: '1',
      flannel: newestFlannel.tag,
    },
    config: Buffer.from(config),
    leases: Array.from({ length: leases }, (_, index) => ({
      tail: `10.5.${index}.0-24`,
      value: Buffer.from(hostGw(`192.168.0.${index}`)),
      permanent: false,
      ttlSeconds: 80_000,
    })),
    own: [],
  };
  return Array.from(formatBackup(backup)).join('');
}

/** What is below the prefix, as flanneld sees it. */
async function look(store: Store) {
  const snapshot = await store.snapshot(`${prefix}/`);
  return readLeases(snapshot, prefix, newestFlannel);
}

/** By etcd's own memory: of all that was ever written among the leases, what flanneld cannot read. */
async function everUnreadable(store: Store): Promise<readonly string[]> {
  const found: string[] = [];
  const { since } = await store.past(`${prefix}/subnets`, (event) => {
    if (event.type === 'put' && !('address' in readLease(event.entry, prefix, newestFlannel)))
      found.push(event.entry.key);
  });
  expect(since).toBe('1');
  return found;
}

interface Run {
  readonly kill: (signal: NodeJS.Signals) => void;
  readonly ended: Promise<Ended>;
}

function starterFor(home: string, settings: Readonly<Record<string, string>>): (...argv: readonly string[]) => Run {
  return (...argv) => {
    const child = spawn(node, [runJs, ...argv], { env: cleanEnv(home, settings), cwd: home });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.stdin.end();
    const ended = new Promise<Ended>((resolve) => {
      child.once('close', (status, signal) => resolve({ status, signal, stdout, stderr }));
    });
    return { kill: (signal) => child.kill(signal), ended };
  };
}

describe('operators who restore a network', () => {
  const leases = 200;
  let etcd: Etcd;
  let store: Store;
  let cli: ReturnType<typeof cliFor>;
  let start: ReturnType<typeof starterFor>;

  beforeAll(async () => {
    etcd = await startEtcd();
    store = await openEtcdV3({ endpoints: etcd.endpoints, timeoutMs: 5000 });
    cli = cliFor({ NETCTL_ENDPOINTS: etcd.endpoints[0] });
    start = starterFor(cli.home, { NETCTL_ENDPOINTS: etcd.endpoints[0] });
    writeFileSync(join(cli.home, 'network.backup'), backupOf(leases));
  });
  beforeEach(() => void etcd.ctl(['del', '--prefix', '/']));
  afterAll(async () => {
    store.close();
    cli.remove();
    await etcd.stop();
  });

  const isWhole = async (): Promise<void> => {
    const { config: now, leases: found, unreadable, foreign } = await look(store);
    expect(Buffer.from(now?.value ?? []).toString()).toBe(config);
    expect([found.length, unreadable, foreign]).toEqual([leases, [], []]);
    expect((await store.get(lockKey(prefix))).entry).toBeUndefined();
  };

  it('are killed wherever they are, and the next one finishes what they have begun', async () => {
    let between = 0;
    for (const after of [1, 40, 120, 199, 200]) {
      etcd.ctl(['del', '--prefix', '/']);
      const run = start('restore', 'network.backup', '--yes');
      let isOver = false;
      void run.ended.then(() => {
        isOver = true;
      });
      await until('some of it is written', async () => isOver || (await look(store)).leases.length >= after);
      run.kill('SIGKILL');
      await run.ended;
      const left = await look(store);
      if (left.leases.length > 0 && left.leases.length < leases) between += 1;
      // A flanneld that waits for the config must not start among holes.
      if (left.leases.length < leases) expect(left.config).toBeNull();
      const lock = (await store.get(lockKey(prefix))).entry;
      const next = await cli.netctl(['restore', 'network.backup', '--yes']);
      expect(next).toMatchObject({ status: 0 });
      if (lock !== undefined && left.leases.length < leases) {
        expect(next.stderr).toMatch(/a run that was cut off has left its lock, .*: .*netctl restore, process \d+/);
      }
      if (left.leases.length < leases) await isWhole();
    }
    expect(between).toBeGreaterThan(0);
    expect(await everUnreadable(store)).toEqual([]);
  }, 60_000);

  it('hang, and are told so when they go on after another one has taken their lock', async () => {
    const run = start('restore', 'network.backup', '--yes');
    await until('some of it is written', async () => (await look(store)).leases.length >= 5);
    run.kill('SIGSTOP');
    const left = await look(store);
    const other = await cli.netctl(['restore', 'network.backup', '--yes']);
    // It may have been too late for it.
    const isInTime = left.leases.length < leases;
    if (isInTime) {
      expect(other.status).toBe(6);
      expect(other.stderr).toMatch(/is being changed by .* with netctl restore/);
      expect(other.stderr).toMatch(/runs out in \d+ s/);
    }
    const broken = await cli.netctl(['restore', 'network.backup', '--yes', '--break-lock']);
    expect(broken).toMatchObject({ status: 0 });
    if (isInTime) expect(broken.stderr).toMatch(/breaking the lock of .*netctl restore, process \d+/);
    etcd.ctl(['del', '--prefix', `${prefix}/`]);
    run.kill('SIGCONT');
    const { status } = await run.ended;
    if (isInTime) expect([5, 6]).toContain(status);
    // Nothing of what it still had to write has come.
    if (isInTime) expect((await look(store)).leases).toEqual([]);
  });

  it('press Ctrl-C: what is under way ends, the lock is given back, and the next one goes on', async () => {
    const run = start('restore', 'network.backup', '--yes');
    await until('some of it is written', async () => (await look(store)).leases.length >= 5);
    run.kill('SIGINT');
    const { status } = await run.ended;
    const left = await look(store);
    // It may have been too late for it.
    expect(status).toBe(left.config === null ? 130 : (status ?? 0));
    expect((await store.get(lockKey(prefix))).entry).toBeUndefined();
    expect(await cli.netctl(['restore', 'network.backup', '--yes'])).toMatchObject({ status: 0 });
    await isWhole();
  });

  it('do so at once: one of them does it, and the others are told so or find it done', async () => {
    const runs = await Promise.all(Array.from({ length: 3 }, () => cli.netctl(['restore', 'network.backup', '--yes'])));
    for (const { status, stderr } of runs) {
      if (status !== 0) expect([status, stderr]).toEqual([6, expect.stringContaining('netctl explain locked')]);
    }
    expect(runs.filter(({ stdout }) => stdout.includes('state:   restored')).length).toBeGreaterThanOrEqual(1);
    await isWhole();
  });
});

describe('an etcd of three members', () => {
  let etcd: Etcd;
  let store: Store;
  let cli: ReturnType<typeof cliFor>;
  let start: ReturnType<typeof starterFor>;

  beforeAll(async () => {
    etcd = await startEtcd({ members: 3 });
    store = await openEtcdV3({ endpoints: etcd.endpoints, timeoutMs: 3000 });
    const settings = { NETCTL_ENDPOINTS: etcd.endpoints.join(','), NETCTL_TIMEOUT: '2' };
    cli = cliFor(settings);
    start = starterFor(cli.home, settings);
    writeFileSync(join(cli.home, 'small.backup'), backupOf(4));
    writeFileSync(join(cli.home, 'large.backup'), backupOf(250));
  });
  afterAll(async () => {
    store.close();
    cli.remove();
    await etcd.stop();
  });

  it('that loses its quorum in the middle ends a restore in seconds and in clear words; the next run finishes it', async () => {
    const [, second, third] = etcd.members;
    const run = start('restore', 'large.backup', '--yes');
    await until('some of it is written', async () => (await look(store)).leases.length >= 10);
    await Promise.all([second?.kill(), third?.kill()]);
    const began = performance.now();
    const { status, stderr } = await run.ended;
    expect(performance.now() - began).toBeLessThan(20_000);
    expect([4, 5]).toContain(status);
    expect(stderr).toMatch(/quorum|no answer|lost/);
    expect(stderr).toMatch(/\d+ of 250 keys were written/);
    expect(stderr).toContain('Run the same command again');
    await Promise.all([second?.restart(), third?.restart()]);

    const left = await look(store);
    expect([left.config, left.unreadable]).toEqual([null, []]);
    // Its lock could not be given back; on this machine it is seen that nobody has it any more.
    const again = await cli.netctl(['restore', 'large.backup', '--yes']);
    expect(again).toMatchObject({ status: 0 });
    expect((await look(store)).leases.length).toBe(250);
    expect(await everUnreadable(store)).toEqual([]);
  }, 60_000);

  it('whose members are killed and restarted meanwhile keeps every live lease and never has an unreadable one', async () => {
    await until('etcd is back', async () => (await store.get(prefix).catch(() => undefined)) !== undefined);
    etcd.ctl(['del', '--prefix', '/']);
    await cli.netctl(['restore', 'small.backup', '--yes']);
    const begin = BigInt((await store.get(prefix)).revision);
    let isOver = false;
    const stop = performance.now() + 12_000;
    const untilOver = async (work: () => Promise<void>) => {
      while (!isOver && performance.now() < stop) await work();
    };

    const saboteur = async () => {
      for (let round = 0; !isOver && performance.now() < stop; round++) {
        const member = etcd.members[round % 3];
        await member?.kill();
        // Every third time the quorum goes too.
        const other = round % 3 === 2 ? etcd.members[0] : undefined;
        await other?.kill();
        await sleep(other === undefined ? 700 : 2500);
        await Promise.all([member?.restart(), other?.restart()]);
        await sleep(900);
      }
    };
    // As a flanneld renews: over whatever is there.
    const owner = async (subnet: number) => {
      const key = `${prefix}/subnets/10.5.${subnet}.0-24`;
      const value = Buffer.from(hostGw(`192.168.0.${subnet}`));
      const own = await openEtcdV3({ endpoints: etcd.endpoints, timeoutMs: 2000 });
      await untilOver(async () => {
        try {
          const { entry } = await own.get(key);
          await own.put({ key, value, ttlSeconds: 86_400 }, entry?.revision ?? 'absent');
        } catch (error) {
          if (!(error instanceof NetctlError)) throw error;
        }
        await sleep(100);
      });
      own.close();
    };
    const statuses = new Map<number | null, number>();
    const operator = async (seed: number) => {
      let state = seed;
      const next = (most: number): number => {
        state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
        return Math.floor((state / 2 ** 31) * most);
      };
      await untilOver(async () => {
        const subnet = `10.5.${10 + next(4)}.0/24`;
        const commands: readonly (readonly string[])[] = [
          ['subnets', 'reserve', subnet, '--public-ip', `192.168.1.${10 + next(4)}`, '--yes'],
          ['subnets', 'unreserve', subnet, '--yes'],
          ['subnets', 'reserve', '--enforce', '--yes'],
          ['subnets', 'undo', subnet, '--yes'],
          ['restore', 'small.backup', '--yes'],
          ['backup', '-'],
        ];
        const words = commands[next(commands.length)] ?? [];
        const mayBreak = next(3) === 0 && words[0] !== 'backup' ? ['--break-lock'] : [];
        const { status, stderr } = await cli.netctl([...words, ...mayBreak]);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        // Done, refused, unreachable, failed, conflict; never a bug, never hanging.
        expect([0, 2, 3, 4, 5, 6], `${words.join(' ')}\n${stderr}`).toContain(status);
      });
    };
    // Takes away what stands for nobody who lives, under the lock and with a record, as `subnets reclaim` does.
    const reclaimer = async () => {
      const own = await openEtcdV3({ endpoints: etcd.endpoints, timeoutMs: 2000 });
      await untilOver(async () => {
        try {
          const mine = {
            owner: 'reclaimer@test',
            pid: 1,
            machine: '',
            version: '1',
            doing: 'netctl subnets reclaim',
            since: 'now',
            id: 'r',
          };
          const held = await takeOperatorLock(own, prefix, mine, takeAtOnce);
          try {
            const snapshot = await own.snapshot(`${prefix}/`);
            const tombstones = readTombstones((await own.snapshot(tombstonesPrefix(prefix))).entries, prefix);
            const context = { prefix, api: 'v3', tombstones, now: new Date(0), who: 'x', command: 'x' } as const;
            const entries = Array.from(snapshot.entries);
            const dead = readLeases(snapshot, prefix, newestFlannel).leases.flatMap((lease) => {
              const entry = entries.find(({ key }) => key === lease.key);
              const isDead = lease.publicIP?.startsWith('192.168.1.') === true;
              return entry === undefined || !isDead
                ? []
                : [planRemoval({ lease, entry, ttlSeconds: 600, reasons: [] }, context)];
            });
            await removeLeases(dead, own);
          } finally {
            await held.release();
          }
        } catch (error) {
          if (!(error instanceof NetctlError)) throw error;
        }
        await sleep(300);
      });
      own.close();
    };
    try {
      await Promise.all([saboteur(), owner(1), owner(2), operator(1), operator(2), reclaimer()]);
    } finally {
      isOver = true;
    }
    await until('etcd is back', async () => (await store.get(prefix).catch(() => undefined)) !== undefined);

    expect((statuses.get(0) ?? 0) > 3, JSON.stringify([...statuses])).toBe(true);
    expect(await everUnreadable(store)).toEqual([]);
    const lost: string[] = [];
    await store.past(`${prefix}/subnets/`, (event) => {
      if (event.type === 'put' || BigInt(event.revision) <= begin) return;
      if (/10\.5\.[12]\.0-24$/.test(event.key)) lost.push(event.key);
    });
    expect(lost).toEqual([]);
    const { leases } = await look(store);
    expect(leases.filter(({ publicIP }) => /^192\.168\.0\.[12]$/.test(publicIP ?? ''))).toHaveLength(2);
    const settled = await cli.netctl(['restore', 'small.backup', '--break-lock', '--yes']);
    // Reservations are no part of that backup, so it may be refused; it is never half done.
    expect([0, 3]).toContain(settled.status);
    const last = takeOperatorLock(
      store,
      prefix,
      { owner: 'x', pid: 1, machine: '', version: '1', doing: 'x', since: 'x', id: 'x' },
      { ...takeAtOnce, breakLock: true },
    );
    await expect(last).resolves.toBeDefined();
    await (await last).release();
  }, 90_000);
});
