// How long netctl takes to list many leases, against etcdctl in the same run: `npm run bench`. Needs a build, etcd and etcdctl.
// Fills an etcd of its own on loopback with NETCTL_BENCH_LEASES (65,536) leases, each under an etcd lease, as flannel does.
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Etcd3 } from 'etcd3';

const leases = Number(process.env.NETCTL_BENCH_LEASES ?? 65_536);
const rounds = Number(process.env.NETCTL_BENCH_RUNS ?? 7);
/** The documented way costs one process per lease, so it is timed on so many and multiplied. */
const sampled = 200;
/** A network of which netctl asks all TTLs. */
const smallLeases = 1000;
const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'netctl-bench-'));
const { NODE_EXTRA_CA_CERTS: _, NETCTL_CONFIG: __, ...inherited } = process.env;
const env = { ...inherited, HOME: folder, XDG_CACHE_HOME: folder, ETCDCTL_API: '3' };

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
  const [client, peer] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${client}`;
  const args = ['--data-dir', join(folder, 'etcd'), '--listen-client-urls', url, '--advertise-client-urls', url];
  const child = spawn('etcd', [...args, '--listen-peer-urls', `http://127.0.0.1:${peer}`, '--unsafe-no-fsync'], {
    stdio: 'ignore',
    env,
  });
  for (let tries = 0; tries < 50; tries++) {
    await sleep(100);
    if (spawnSync('etcdctl', ['--endpoints', url, 'get', 'x'], { env }).status === 0) return { child, url };
  }
  throw new Error('etcd did not start');
}

async function fill(url, prefix, count) {
  const client = new Etcd3({ hosts: url });
  await client.put(`${prefix}/config`).value('{"Network":"10.0.0.0/8","Backend":{"Type":"vxlan"}}');
  const ids = [];
  let granted = 0;
  const grant = async () => {
    while (granted < count) {
      granted += 1;
      ids.push((await client.leaseClient.leaseGrant({ TTL: 86_400 })).ID);
    }
  };
  await Promise.all(Array.from({ length: 64 }, grant));
  const hex = (byte) => (byte & 255).toString(16).padStart(2, '0');
  for (let at = 0; at < count; at += 128) {
    const success = [];
    for (let index = at; index < Math.min(count, at + 128); index++) {
      const mac = `0e:${hex(index >> 16)}:${hex(index >> 8)}:${hex(index)}:07:09`;
      const data = { VNI: 1, VtepMAC: mac };
      const ip = `172.${16 + (index >> 14)}.${(index >> 7) & 127}.${index & 127}`;
      const value = JSON.stringify({ PublicIP: ip, PublicIPv6: null, BackendType: 'vxlan', BackendData: data });
      const key = `${prefix}/subnets/10.${(index >> 8) & 255}.${index & 255}.0-24`;
      success.push({ request_put: { key: Buffer.from(key), value: Buffer.from(value), lease: ids[index] } });
    }
    await client.kv.txn({ success });
  }
  client.close();
}

// Node tells nothing of the use of a child, GNU time is not on every machine: python3 runs it and tells all there is.
const measure = `
import resource, subprocess, sys, time
begun = time.monotonic()
status = subprocess.run(sys.argv[1:]).returncode
ms = (time.monotonic() - begun) * 1000
use = resource.getrusage(resource.RUSAGE_CHILDREN)
sys.stderr.write("\\nUSE %f %f %d\\n" % (ms, (use.ru_utime + use.ru_stime) * 1000, use.ru_maxrss))
sys.exit(status)
`;

/** Time that passed, time on a core (user and system; it says more on a busy machine), the greatest resident memory, the size of what was printed. */
function once(argv) {
  const file = join(folder, 'out');
  const out = openSync(file, 'w');
  const { status, stderr } = spawnSync('python3', ['-c', measure, ...argv], { env, stdio: ['ignore', out, 'pipe'] });
  closeSync(out);
  const use = /USE (\S+) (\S+) (\d+)/.exec(String(stderr));
  if (status !== 0 || use === null) throw new Error(`${argv.join(' ')}: ${String(stderr)}`);
  return { ms: Number(use[1]), cpuMs: Number(use[2]), kilobytes: Number(use[3]), bytes: statSync(file).size };
}

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

function compare(title, variants, count) {
  const results = variants.map((variant) => ({ ...variant, runs: [] }));
  for (const { argv } of results) once(argv);
  for (let round = 0; round < count; round++) for (const { argv, runs } of results) runs.push(once(argv));
  console.log(`\n${title} (${count} runs of each, in turn: median, range, ratio; then time on a core; memory)`);
  const base = median(results[0].runs.map(({ ms }) => ms));
  const cpuBase = median(results[0].runs.map(({ cpuMs }) => cpuMs)) * (results[0].times ?? 1);
  for (const { name, runs, times = 1 } of results) {
    const all = runs.map(({ ms }) => ms * times).sort((a, b) => a - b);
    const cpu = median(runs.map(({ cpuMs }) => cpuMs)) * times;
    const memory = Math.max(...runs.map(({ kilobytes }) => kilobytes)) / 1024;
    console.log(
      `${name.padEnd(48)} ${median(all).toFixed(0).padStart(7)} ms  ${all[0].toFixed(0)}-${all.at(-1).toFixed(0)}`.padEnd(
        80,
      ),
      `x${(median(all) / base).toFixed(2)}`.padStart(8),
      `${cpu.toFixed(0).padStart(7)} ms on a core`,
      `x${(cpu / cpuBase).toFixed(2)}`.padStart(8),
      `${memory.toFixed(0)} MiB`.padStart(9),
      `${(runs[0].bytes / 2 ** 20).toFixed(1)} MiB out`.padStart(13),
    );
  }
}

let etcd;
try {
  etcd = await startEtcd();
  const load = loadavg().map((value) => value.toFixed(2));
  console.log(`node ${process.version}, ${cpus().length} x ${cpus()[0]?.model}, load ${load.join(' ')}`);
  const [big, small] = ['/big/network', '/small/network'];
  await fill(etcd.url, big, leases);
  await fill(etcd.url, small, smallLeases);
  const etcdctl = ['etcdctl', '--endpoints', etcd.url];
  const netctl = [
    process.execPath,
    join(root, 'bin/run.js'),
    'subnets',
    'ls',
    '--etcd-api',
    'v3',
    '--endpoints',
    etcd.url,
  ];
  compare(
    `Listing ${leases.toLocaleString('en')} leases`,
    [
      { name: 'etcdctl get --prefix -w json', argv: [...etcdctl, 'get', '--prefix', `${big}/subnets`, '-w', 'json'] },
      ...['json', 'table', 'wide', 'csv', 'yaml', 'name'].map((format) => ({
        name: `netctl subnets ls -o ${format}`,
        argv: [...netctl, '--prefix', big, '-o', format],
      })),
    ],
    rounds,
  );
  const ids = spawnSync('etcdctl', ['--endpoints', etcd.url, 'lease', 'list'], { env, encoding: 'utf8' }).stdout;
  const some = ids
    .split('\n')
    .slice(1, sampled + 1)
    .map((line) => line.trim());
  const documented = `for id in ${some.join(' ')}; do etcdctl --endpoints ${etcd.url} lease timetolive --keys $id; done`;
  compare(
    `Listing ${smallLeases.toLocaleString('en')} leases with the time until each expires`,
    [
      { name: 'netctl subnets ls --ttl', argv: [...netctl, '--prefix', small, '--ttl'] },
      {
        name: `etcdctl lease timetolive per lease (${sampled} x ${smallLeases / sampled})`,
        argv: ['bash', '-c', documented],
        times: smallLeases / sampled,
      },
    ],
    3,
  );
} finally {
  etcd?.child.kill();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}
