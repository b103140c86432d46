import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { cleanEnv, ensureBuilt, node, root, runJs, temporaryFolder } from '../support/built';
import { type Etcd, startEtcd } from '../support/etcd';
import { leaseLikeFlanneld, vxlan } from '../support/flannel-leases';

/*
 * docs/guides/backup.md, run as it stands: each `$ ` line in bash, and what it prints compared. NETCTL_WRITE_GUIDES=1 writes
 * what was printed into the page instead.
 */
const file = join(root, 'docs/guides/backup.md');
const { path: home, remove } = temporaryFolder();
let etcd: Etcd;

beforeAll(async () => {
  ensureBuilt();
  etcd = await startEtcd();
  mkdirSync(join(home, 'bin'));
  const program = (name: string, line: string) =>
    writeFileSync(join(home, 'bin', name), `#!/bin/sh\n${line} "$@"\n`, { mode: 0o755 });
  program('netctl', `exec '${node}' '${runJs}'`);
  program('etcdctl2', `ETCDCTL_API=2 ETCDCTL_ENDPOINTS= exec etcdctl --endpoints ${etcd.endpoints[0]}`);
});
afterAll(async () => {
  await etcd.stop();
  remove();
});

/** etcd's count of writes, the person and the hour, and a lease that has lost its first seconds. */
function settled(text: string): string {
  return text
    .replace(/revision \d+/g, 'revision 8')
    .replace(/made \S+ by \S+/g, 'made 2026-11-20T12:00:00.000Z by anna@ops1')
    .replace(/\b(1d|23h5\dm)\b/g, '23h59m');
}

it('docs/guides/backup.md prints what it says', () => {
  const env = cleanEnv(home, {
    ETCDCTL_API: '3',
    ETCDCTL_ENDPOINTS: etcd.endpoints[0],
    NETCTL_ENDPOINTS: etcd.endpoints[0],
    COLUMNS: '110',
  });
  env['PATH'] = `${join(home, 'bin')}:${env['PATH'] ?? ''}`;
  const page = readFileSync(file, 'utf8');
  let steps = 0;
  const run = (command: string): string => {
    const { stdout, error } = spawnSync('bash', ['-c', command], { env, cwd: home, encoding: 'utf8', timeout: 20_000 });
    if (error !== undefined) throw error;
    steps += 1;
    if (steps === 1) {
      leaseLikeFlanneld(etcd, 'v3', '10.5.1.0/24', vxlan('192.168.0.1', '0e:00:00:00:00:01'));
      leaseLikeFlanneld(etcd, 'v3', '10.5.2.0/24', vxlan('192.168.0.2', '0e:00:00:00:00:02'));
    }
    return stdout.replace(/[ \t]+$/gm, '');
  };
  const written = page.replace(/(```console\n)([\s\S]*?)(```)/g, (_, open: string, block: string, close: string) => {
    const commands = Array.from(block.matchAll(/^\$ (.*)$/gm), ([, command = '']) => command);
    return `${open}${commands.map((command) => `$ ${command}\n${run(command)}`).join('')}${close}`;
  });
  expect(steps).toBeGreaterThan(12);
  if (process.env['NETCTL_WRITE_GUIDES'] === '1') writeFileSync(file, settled(written));
  else expect(settled(written)).toBe(settled(page));
}, 60_000);
