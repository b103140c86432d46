import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cleanEnv, ensureBuilt, node, root, runJs, temporaryFolder } from '../support/built';
import { type Etcd, startEtcd } from '../support/etcd';

/*
 * The tour of README.md, run as it stands: each `$ ` line in one bash, in order, and what it prints compared with the lines
 * that follow it. NETCTL_WRITE_README=1 writes what was printed into README.md instead.
 */
const file = join(root, 'README.md');
const fence = /(```console tour\n)([\s\S]*?)(```)/g;

interface Step {
  readonly command: string;
  readonly output: string;
}

function stepsOf(block: string): readonly Step[] {
  return block
    .split(/^(?=\$ )/m)
    .filter((part) => part !== '')
    .map((part) => {
      const end = part.indexOf('\n');
      return { command: part.slice(2, end), output: part.slice(end + 1) };
    });
}

/** A lease may have lost its first second or not, and etcd draws the ids of its leases. */
function settled(text: string): string {
  return text
    .replace(/\b1d\b(?= )/g, '23h59m')
    .replace(/\b[0-9a-f]{16}\b/g, '53b59f89fb1c7a05')
    .replace(/\(etcd lease [0-9a-f]+\)/g, '(etcd lease …)');
}

describe('the tour in README.md', () => {
  let etcd: Etcd;
  const { path: home, remove } = temporaryFolder();

  beforeAll(async () => {
    ensureBuilt();
    etcd = await startEtcd();
    mkdirSync(join(home, 'bin'));
    writeFileSync(join(home, 'bin/netctl'), `#!/bin/sh\nexec '${node}' '${runJs}' "$@"\n`, { mode: 0o755 });
  });
  afterAll(async () => {
    await etcd.stop();
    remove();
  });

  it('prints what it says', () => {
    const env = cleanEnv(home, {
      ETCDCTL_API: '3',
      ETCDCTL_ENDPOINTS: etcd.endpoints[0],
      COLUMNS: '120',
      STATE: join(home, 'state'),
    });
    env['PATH'] = `${join(home, 'bin')}:${env['PATH'] ?? ''}`;
    const readme = readFileSync(file, 'utf8');
    const run = (command: string): string => {
      // Variables live from one step to the next, as in the reader's shell.
      const script = `[ ! -f "$STATE" ] || . "$STATE"; { ${command}; } 2>&1; declare -p LEASE >"$STATE" 2>/dev/null; true`;
      const { stdout, error } = spawnSync('bash', ['-c', script], { env, encoding: 'utf8', timeout: 20_000 });
      if (error !== undefined) throw error;
      return stdout;
    };
    const told: string[] = [];
    const written = readme.replace(fence, (_, open: string, block: string, close: string) => {
      const steps = stepsOf(block).map(({ command }) => `$ ${command}\n${run(command)}`);
      told.push(steps.join(''));
      return `${open}${steps.join('')}${close}`;
    });
    rmSync(join(home, 'state'), { force: true });
    expect(told.length).toBeGreaterThan(4);
    if (process.env['NETCTL_WRITE_README'] === '1') writeFileSync(file, written);
    else expect(settled(written)).toBe(settled(readme));
  });
});
