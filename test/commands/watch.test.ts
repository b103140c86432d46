import { type ChildProcess, spawn } from 'node:child_process';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { cleanEnv, node, runJs, runToEnd } from '../support/built';
import { cliFor } from '../support/cli';
import { documentOf } from '../support/documents';
import { type Etcd, sleep, startEtcd, until } from '../support/etcd';
import { hostGw, leaseLikeFlanneld, prefix, vxlan } from '../support/flannel-leases';
import { netctlOnTerminal, type Terminal } from '../support/terminal';

const mac = '0e:00:00:00:00:01';
const undo: (() => void)[] = [];

afterEach(() => {
  for (const each of undo.splice(0)) each();
});

interface Watching {
  readonly child: ChildProcess;
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly ended: Promise<number | null>;
}

/** `netctl subnets ls --watch` into a pipe. */
function watching(
  etcd: Etcd,
  home: string,
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Watching {
  const child = spawn(node, [runJs, 'subnets', 'ls', '--watch', ...argv], {
    env: cleanEnv(home, { NETCTL_ENDPOINTS: etcd.endpoints[0], NETCTL_TIMEOUT: '2', ...env }),
    cwd: home,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  undo.push(() => child.kill('SIGKILL'));
  const text = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (part: string) => {
      text[name] += part;
    });
  }
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { child, stdout: () => text.stdout, stderr: () => text.stderr, ended };
}

describe.each(['v3', 'v2'] as const)('netctl subnets ls --watch on etcd %s', (api) => {
  let etcd: Etcd;
  let cli: ReturnType<typeof cliFor>;
  const key = (subnet: string) => `${prefix}/subnets/${subnet.replace('/', '-')}`;
  const remove = (subnet: string) =>
    etcd.ctl([api === 'v3' ? 'del' : 'rm', key(subnet)], { api: api === 'v3' ? 3 : 2 });
  const events = (run: Watching) =>
    run
      .stdout()
      .trimEnd()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => documentOf('SubnetEvent', line));
  const sees = (run: Watching, wanted: (all: ReturnType<typeof events>) => boolean) =>
    until(`events; seen:\n${run.stdout()}${run.stderr()}`, () => run.stdout().endsWith('\n') && wanted(events(run)));

  beforeEach(async () => {
    etcd = await startEtcd();
    cli = cliFor({ NETCTL_ENDPOINTS: etcd.endpoints[0], NETCTL_ETCD_API: api });
    await cli.netctl(['init-network', '10.1.0.0/16', '--backend', 'vxlan']);
    leaseLikeFlanneld(etcd, api, '10.1.21.0/24', vxlan('192.168.0.1', mac), { ttlSeconds: 4000 });
  });
  afterEach(async () => {
    cli.remove();
    await etcd.stop();
  });

  it('prints every change as one JSON document a line: present, added, renewed, changed, deleted', async () => {
    const run = watching(etcd, cli.home, ['-o', 'json'], { NETCTL_ETCD_API: api });
    await sees(run, (all) => all.length === 1);
    leaseLikeFlanneld(etcd, api, '10.1.22.0/24', hostGw('192.168.0.2'));
    await sees(run, (all) => all.length === 2);
    leaseLikeFlanneld(etcd, api, '10.1.21.0/24', vxlan('192.168.0.1', mac));
    await sees(run, (all) => all.length === 3);
    leaseLikeFlanneld(etcd, api, '10.1.21.0/24', vxlan('192.168.0.9', mac));
    await sees(run, (all) => all.length === 4);
    remove('10.1.22.0/24');
    await sees(run, (all) => all.length === 5);
    const all = events(run);
    expect(all.map(({ type, item }) => [type, item.subnet])).toEqual([
      ['present', '10.1.21.0/24'],
      ['added', '10.1.22.0/24'],
      ['renewed', '10.1.21.0/24'],
      ['changed', '10.1.21.0/24'],
      ['deleted', '10.1.22.0/24'],
    ]);
    expect(all[0]?.item.expiresInSeconds).toBeLessThanOrEqual(4000);
    expect(all[2]?.item.expiresInSeconds).toBeGreaterThan(80_000);
    expect(all[1]?.item.problems).toContain('other-backend');
    run.child.kill('SIGINT');
    expect(await run.ended).toBe(130);
    expect(run.stderr()).toBe('');
  });

  it('prints lines that a person can read into a pipe', async () => {
    const run = watching(etcd, cli.home, [], { NETCTL_ETCD_API: api });
    await until('the first line', () => run.stdout().includes('\n'));
    expect(run.stdout()).toMatch(
      /^\d{4}-\d\d-\d\dT\S+Z {2}present {2}10\.1\.21\.0\/24 {2}192\.168\.0\.1 {2}- {2}vxlan {2}expires in 1h\d+m\n$/,
    );
    remove('10.1.21.0/24');
    await until('the second line', () => run.stdout().includes('deleted  10.1.21.0/24'));
    expect(run.stderr()).toBe('');
  });

  it('sees what expires', async () => {
    const run = watching(etcd, cli.home, ['-o', 'json'], { NETCTL_ETCD_API: api });
    await sees(run, (all) => all.length === 1);
    leaseLikeFlanneld(etcd, api, '10.1.23.0/24', hostGw('192.168.0.3'), { ttlSeconds: 2 });
    await sees(run, (all) => all.some(({ type, item }) => type === 'deleted' && item.subnet === '10.1.23.0/24'));
  });

  it('survives a crash of etcd, says so, and tells what happened meanwhile', async () => {
    const [member] = etcd.members;
    const run = watching(etcd, cli.home, ['-o', 'json'], { NETCTL_ETCD_API: api });
    await sees(run, (all) => all.length === 1);
    // A change that has come shows that the watch is begun; before that, etcd going away is an error.
    leaseLikeFlanneld(etcd, api, '10.1.27.0/24', hostGw('192.168.0.7'));
    await sees(run, (all) => all.length === 2);
    await member?.kill();
    await until('the notice of the loss', () => run.stderr() !== '');
    await member?.restart();
    leaseLikeFlanneld(etcd, api, '10.1.24.0/24', hostGw('192.168.0.4'));
    await sees(run, (all) => all.some(({ type, item }) => type === 'added' && item.subnet === '10.1.24.0/24'));
    expect(run.stderr()).toContain(etcd.endpoints[0]);
    expect(run.stderr()).toContain('watching etcd');
    expect(run.stderr()).not.toMatch(/\n {4}at /);
  });
});

describe('netctl subnets ls --watch', () => {
  let etcd: Etcd;
  let cli: ReturnType<typeof cliFor>;
  beforeAll(async () => {
    etcd = await startEtcd();
    cli = cliFor({ NETCTL_ENDPOINTS: etcd.endpoints[0] });
    await cli.netctl(['init-network', '10.1.0.0/16', '--backend', 'vxlan']);
  });
  beforeEach(() => {
    etcd.ctl(['del', '--prefix', `${prefix}/subnets`]);
    leaseLikeFlanneld(etcd, 'v3', '10.1.21.0/24', vxlan('192.168.0.1', mac));
  });
  afterAll(async () => {
    cli.remove();
    await etcd.stop();
  });
  const onTerminal = (
    argv: readonly string[],
    options: { columns?: number; env?: Record<string, string> } = {},
  ): Terminal => {
    const terminal = netctlOnTerminal(argv, {
      home: cli.home,
      ...options,
      env: { NETCTL_ENDPOINTS: etcd.endpoints[0], NETCTL_TIMEOUT: '2', ...options.env },
    });
    undo.push(terminal.kill);
    return terminal;
  };

  it('reads everything anew when history was compacted while it was away, and tells the difference', async () => {
    const run = watching(etcd, cli.home, ['-o', 'json']);
    await until('the first line', () => run.stdout().includes('10.1.21.0/24'));
    // A change that has come shows that the watch is begun; before that, etcd going away is an error.
    leaseLikeFlanneld(etcd, 'v3', '10.1.26.0/24', hostGw('192.168.0.6'));
    await until('the watch', () => run.stdout().includes('10.1.26.0/24'));
    // Stopped in mid-air while the keys change and the revisions between are forgotten; the connection is cut by the restart.
    run.child.kill('SIGSTOP');
    etcd.ctl(['del', `${prefix}/subnets/10.1.21.0-24`]);
    leaseLikeFlanneld(etcd, 'v3', '10.1.25.0/24', hostGw('192.168.0.5'));
    const { header } = JSON.parse(etcd.ctl(['get', 'x', '-w', 'json']));
    await etcd.members[0]?.kill();
    await etcd.members[0]?.restart();
    etcd.ctl(['compact', String(header.revision)]);
    run.child.kill('SIGCONT');
    await until('both', () => /deleted[\s\S]*added/.test(run.stdout())).catch((error: unknown) => {
      throw new Error(`${String(error)}; ${run.stdout()}${run.stderr()}`);
    });
    const lines = run
      .stdout()
      .trimEnd()
      .split('\n')
      .map((line) => documentOf('SubnetEvent', line));
    expect(lines.slice(2).map(({ type, item }) => [type, item.subnet])).toEqual([
      ['deleted', '10.1.21.0/24'],
      ['added', '10.1.25.0/24'],
    ]);
  });

  it('draws a table on a terminal, changes it in place, and leaves a sane terminal on Ctrl-C with exit code 130', async () => {
    const terminal = onTerminal(['subnets', 'ls', '--watch']);
    await terminal.shows('1 subnet, revision');
    leaseLikeFlanneld(etcd, 'v3', '10.1.22.0/24', hostGw('192.168.0.2'));
    await terminal.shows(/10\.1\.22\.0\/24[\s\S]*2 subnets, revision/);
    etcd.ctl(['del', `${prefix}/subnets/10.1.22.0-24`]);
    await terminal.shows(/2 subnets, revision[\s\S]*1 subnet, revision/);
    terminal.type('\x03');
    const { status, before, after } = await terminal.ended;
    expect(status).toBe(130);
    expect(after).toBe(before);
    expect(before).not.toBe('');
    const shown = terminal.shown();
    // The cursor was never hidden, wrapping is on again, and no screen was switched.
    expect(shown).not.toMatch(/\x1b\[\?(25l|1049h|47h)/);
    expect(shown.lastIndexOf('\x1b[?7h')).toBeGreaterThan(shown.lastIndexOf('\x1b[?7l'));
  });

  it('says on the terminal that etcd is away, and goes on when it is back', async () => {
    const terminal = onTerminal(['subnets', 'ls', '--watch']);
    await terminal.shows('1 subnet, revision');
    // A change that has come shows that the watch is begun; before that, etcd going away is an error.
    leaseLikeFlanneld(etcd, 'v3', '10.1.27.0/24', hostGw('192.168.0.7'));
    await terminal.shows('10.1.27.0/24');
    await etcd.members[0]?.kill();
    await terminal.shows(/Ctrl-C ends\. \S/);
    await etcd.members[0]?.restart();
    leaseLikeFlanneld(etcd, 'v3', '10.1.26.0/24', hostGw('192.168.0.6'));
    await terminal.shows('10.1.26.0/24');
    terminal.type('\x03');
    expect((await terminal.ended).status).toBe(130);
  });

  it('on a narrow, plain terminal wraps nothing and colours nothing', async () => {
    const terminal = onTerminal(['subnets', 'ls'], { columns: 40, env: { NO_COLOR: '1' } });
    expect((await terminal.ended).status).toBe(0);
    const lines = terminal.shown().replaceAll('\r', '').split('\n');
    const table = lines.filter((line) => /^(SUBNET|10\.)/.test(line));
    expect(table).toHaveLength(2);
    for (const line of table) expect(line.length).toBeLessThanOrEqual(40);
    expect(terminal.shown()).not.toContain('\x1b');
    expect(terminal.shown()).toMatch(/columns? hidden \(.*VTEP MAC.*\)/);

    const colourful = onTerminal(['subnets', 'ls'], { columns: 40 });
    await colourful.ended;
    expect(colourful.shown()).toContain('\x1b[1m');
  });

  it('on a dumb terminal prints lines instead of moving the cursor', async () => {
    const terminal = onTerminal(['subnets', 'ls', '--watch'], { env: { TERM: 'dumb' } });
    await terminal.shows('present  10.1.21.0/24');
    terminal.type('\x03');
    expect((await terminal.ended).status).toBe(130);
    expect(terminal.shown()).not.toContain('\x1b');
  });

  it('ends quietly when its reader goes away', async () => {
    for (const format of ['table', 'json']) {
      const line = `"$0" "$1" subnets ls --watch -o ${format} | head -1; echo "\${PIPESTATUS[0]}"`;
      const run = runToEnd(['bash', '-c', line, node, runJs], {
        env: cleanEnv(cli.home, { NETCTL_ENDPOINTS: etcd.endpoints[0] }),
      });
      // The pipe breaks at the next change.
      for (let index = 30; index < 60; index++) {
        await sleep(100);
        leaseLikeFlanneld(etcd, 'v3', `10.1.${index}.0/24`, hostGw(`192.168.0.${index}`));
        if ((await Promise.race([run, sleep(1)])) !== undefined) break;
      }
      const { stdout, stderr } = await run;
      expect(stderr).toBe('');
      expect(stdout.trimEnd().split('\n')).toHaveLength(2);
      expect(stdout).toMatch(/\n(141|0)\n$/);
    }
  });

  it('refuses formats that have no end', async () => {
    expect(await cli.netctl(['subnets', 'ls', '--watch', '-o', 'yaml'])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('watch-format'),
    });
  });
});
