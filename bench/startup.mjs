// How long netctl takes to start: `npm run bench`. Every variant runs in turn, so that a busy moment of the machine hits all
// of them; what counts is the ratio to `node -e 0` of the same run. Needs a build; reads etcd when it is installed.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { cpus, loadavg, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const rounds = 3;
const runsPerRound = Number(process.env.NETCTL_BENCH_RUNS ?? 15);
const longestSeconds = 180;
const root = fileURLToPath(new URL('..', import.meta.url));
const node = process.env.NETCTL_TEST_NODE ?? process.execPath;
const netctl = [node, join(root, 'bin/run.js')];
const folder = mkdtempSync(join(tmpdir(), 'netctl-bench-'));

// Node 20 parses the whole file that NODE_EXTRA_CA_CERTS names at every start (35 ms on this kind of machine).
const { NODE_EXTRA_CA_CERTS: _, NETCTL_CONFIG: __, ...inherited } = process.env;
const env = { ...inherited, XDG_CACHE_HOME: folder, HOME: folder };

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

async function startEtcd() {
  if (spawnSync('etcd', ['--version']).status !== 0) return undefined;
  const [client, peer] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${client}`;
  const args = ['--data-dir', join(folder, 'etcd'), '--listen-client-urls', url, '--advertise-client-urls', url];
  const peers = ['--listen-peer-urls', `http://127.0.0.1:${peer}`, '--unsafe-no-fsync'];
  const child = spawn('etcd', [...args, ...peers], { stdio: 'ignore', env: { ...env, ETCD_UNSUPPORTED_ARCH: '' } });
  const etcdctlEnv = { ...env, ETCDCTL_API: '3' };
  const config = '{"Network":"10.5.0.0/16","Backend":{"Type":"vxlan"}}';
  for (let tries = 0; tries < 50; tries++) {
    await sleep(100);
    // Never write to an etcd that took the port before ours: it is somebody else's.
    if (child.exitCode !== null) return undefined;
    const put = ['--endpoints', url, 'put', '/coreos.com/network/config', config];
    if (spawnSync('etcdctl', put, { env: etcdctlEnv }).status === 0) return { child, url };
  }
  child.kill();
  return undefined;
}

function variants(etcd, commands) {
  const has = (id) => Object.hasOwn(commands, id);
  return [
    { name: 'node -e 0', argv: [node, '-e', '0'] },
    { name: 'etcdctl version', argv: ['etcdctl', 'version'], isOptional: true },
    { name: 'netctl --version', argv: [...netctl, '--version'], aim: 2.5 },
    { name: 'netctl --help', argv: [...netctl, '--help'], aim: 2.5 },
    { name: 'netctl explain --help', argv: [...netctl, 'explain', '--help'], aim: 2.5 },
    { name: 'netctl completion bash (a command that does nothing)', argv: [...netctl, 'completion', 'bash'], aim: 2.5 },
    { name: 'netctl explain 6', argv: [...netctl, 'explain', '6'] },
    { name: 'one Tab', argv: [...netctl, '__complete', '--', 'expl'] },
    {
      name: 'completion bash without code cache',
      argv: [...netctl, 'completion', 'bash'],
      env: { NETCTL_NO_CODE_CACHE: '1' },
    },
    ...(etcd === undefined
      ? []
      : [
          {
            name: 'etcdctl get config',
            argv: ['etcdctl', '--endpoints', etcd.url, 'get', '/coreos.com/network/config'],
          },
        ]),
    ...(etcd === undefined || !has('network:show')
      ? []
      : [
          {
            name: 'netctl network show (api v3)',
            argv: [...netctl, 'network', 'show', '--etcd-api', 'v3', '--endpoints', etcd.url],
            aim: 5,
          },
          { name: 'netctl network show (api auto)', argv: [...netctl, 'network', 'show', '--endpoints', etcd.url] },
        ]),
  ].filter(({ argv, isOptional }) => !isOptional || spawnSync(argv[0], argv.slice(1), { env }).error === undefined);
}

function once(variant) {
  const before = process.hrtime.bigint();
  const { status, stderr, error } = spawnSync(variant.argv[0], variant.argv.slice(1), {
    env: { ...env, ETCDCTL_API: '3', ...variant.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ms = Number(process.hrtime.bigint() - before) / 1e6;
  if (status !== 0) throw new Error(`${variant.name} exits ${status}: ${error?.message ?? String(stderr)}`);
  return ms;
}

function quantile(sorted, part) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
}

function print(results) {
  const [{ times: floor }] = results;
  const base = quantile(floor, 0.5);
  const rows = results.map(({ name, times, aim }) => {
    const ratio = quantile(times, 0.5) / base;
    const verdict = aim === undefined ? '' : ratio <= aim ? `<= ${aim}` : `MORE THAN ${aim}`;
    const spread = `${quantile(times, 0.25).toFixed(0)}-${quantile(times, 0.75).toFixed(0)}`;
    return [
      name,
      quantile(times, 0.5).toFixed(1),
      times[0].toFixed(1),
      spread,
      ratio.toFixed(2),
      (times[0] / floor[0]).toFixed(2),
      verdict,
    ];
  });
  const table = [['', 'median ms', 'min ms', 'quartiles', 'x node', 'min x node', 'aim'], ...rows];
  const widths = table[0].map((_, column) => Math.max(...table.map((row) => row[column].length)));
  for (const row of table) {
    console.log(
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])))
        .join('  ')
        .trimEnd(),
    );
  }
}

let etcd;
try {
  const manifest = join(root, 'oclif.manifest.json');
  if (!existsSync(manifest)) throw new Error('there is no build: npm run build');
  etcd = await startEtcd();
  const version = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim();
  const load = loadavg()
    .map((value) => value.toFixed(2))
    .join(' ');
  console.log(
    `node ${version}, ${cpus().length} x ${cpus()[0]?.model}, ${(totalmem() / 2 ** 30).toFixed(1)} GiB, Linux ${release()}, load ${load}`,
  );
  const results = variants(etcd, JSON.parse(readFileSync(manifest, 'utf8')).commands).map((variant) => ({
    ...variant,
    times: [],
  }));
  const end = Date.now() + longestSeconds * 1000;
  // The first runs fill the code cache and the page cache.
  for (const variant of results) for (let warm = 0; warm < 2; warm++) once(variant);
  let runs = 0;
  for (let run = 0; run < rounds * runsPerRound && Date.now() < end; run++, runs++) {
    for (const variant of results) variant.times.push(once(variant));
  }
  console.log(
    `${runs} runs of each, in turn${runs < rounds * runsPerRound ? ` (stopped after ${longestSeconds} s)` : ''}`,
  );
  for (const { times } of results) times.sort((a, b) => a - b);
  print(results);
} finally {
  etcd?.child.kill();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}
