// Hosts by SSH against OpenSSH's own client, on a private sshd: node bench/ssh.mjs (root, openssh-server).
// Both take turns, so that a busy moment of the machine hits both; what counts is the ratio. Ends within a minute or so.
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const rounds = Number(process.env.NETCTL_BENCH_RUNS ?? 5);
const longestMs = 90_000;
const megabytes = 50;

// As it is shipped: in one bundle, and ssh2 without its native addon.
const folder = mkdtempSync(join(tmpdir(), 'netctl-bench-ssh-'));
const files = ['src/lib/host/pool', 'src/lib/host/ssh', 'src/lib/host/write-file', 'test/host/private-sshd'];
await build({
  absWorkingDir: fileURLToPath(new URL('..', import.meta.url)),
  stdin: { contents: files.map((file) => `export * from './${file}';`).join('\n'), resolveDir: '.' },
  outfile: join(folder, 'host.cjs'),
  bundle: true,
  platform: 'node',
  format: 'cjs',
  external: ['cpu-features', '*.node'],
});
const { connectSsh, forEachHost, makeSshLand, openSsh, pushFile, whyNoSshd } = createRequire(import.meta.url)(
  join(folder, 'host.cjs'),
);
rmSync(folder, { recursive: true });

if (whyNoSshd !== undefined) process.exit(1);
const land = makeSshLand();
const sshd = await land.sshd();
const target = sshd.target();
const content = Buffer.concat(
  Array.from({ length: megabytes }, (_, index) => (index % 2 ? randomBytes(1 << 20) : Buffer.alloc(1 << 20, 'netctl'))),
);
writeFileSync(land.file('big'), content);
const sha256 = createHash('sha256').update(content).digest('hex');
const big = {
  sha256,
  sizeBytes: content.length,
  open: () => createReadStream(land.file('big'), { highWaterMark: 1 << 18 }),
};

const sshWords = ['-F', 'none', '-i', land.file('user'), '-p', String(sshd.port), '-o', 'IdentitiesOnly=yes'];
const known = ['-o', `UserKnownHostsFile=${target.knownHosts.user[0]}`, '-o', 'BatchMode=yes', 'root@127.0.0.1'];
const openSshClient = (command, input) =>
  new Promise((resolve, reject) => {
    const child = spawn('ssh', [...sshWords, ...known, command], { stdio: ['pipe', 'ignore', 'inherit'] });
    if (input === undefined) child.stdin.end();
    else createReadStream(input).pipe(child.stdin);
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`ssh: ${code}`))));
  });

const warm = connectSsh(target);
await warm.run({ argv: ['true'] });
const ms = async (work) => {
  const begin = performance.now();
  await work();
  return performance.now() - begin;
};
const survey = { argv: ['sh', '-s'], stdin: Buffer.from('uname -a; cat /etc/os-release; ip -j addr || true\n') };
const fleet = Array.from({ length: 20 }, (_, index) => sshd.target({ name: `node${index}` }));
let pushes = 0;

const cases = [
  {
    name: 'connect, log in, run true',
    netctl: async () => {
      const host = connectSsh(target);
      await host.run({ argv: ['true'] });
      host.close();
    },
    openssh: () => openSshClient('true'),
  },
  { name: 'one more command on it', netctl: () => warm.run({ argv: ['true'] }) },
  {
    name: 'survey of 20 hosts, all at once',
    netctl: async () => {
      const ssh = openSsh();
      const outcomes = await forEachHost(fleet, { atOnce: 20 }, (each) => ssh.host(each).run(survey));
      ssh.close();
      if (outcomes.some(({ kind }) => kind !== 'done')) throw new Error('a host failed');
    },
    // Eight at a time, else sshd drops some.
    openssh: () => forEachHost(fleet, { atOnce: 8 }, () => openSshClient('uname -a; cat /etc/os-release; ip -j addr')),
  },
  {
    name: `push of ${megabytes} MB, sha256 checked there (ssh: cat, sha256sum, sync)`,
    bytes: content.length,
    netctl: () => pushFile(warm, { path: land.file(`pushed${pushes++}`), mode: 0o755, before: 'absent' }, big),
    openssh: () => {
      const file = land.file(`copied${pushes++}`);
      return openSshClient(`cat >${file} && sha256sum ${file} && sync ${file}`, land.file('big'));
    },
  },
];

const times = cases.map(() => ({ netctl: [], openssh: [] }));
const began = performance.now();
try {
  for (let round = 0; round < rounds && performance.now() - began < longestMs; round++) {
    for (const [index, each] of cases.entries()) {
      times[index].netctl.push(await ms(each.netctl));
      if (each.openssh !== undefined) times[index].openssh.push(await ms(each.openssh));
    }
  }
} finally {
  warm.close();
  await land.remove();
}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const show = (value) => (value === undefined ? '-' : `${value.toFixed(value < 100 ? 1 : 0)} ms`);
console.log(
  `load ${loadavg()[0].toFixed(1)}, node ${process.version}, ${readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim()}`,
);
for (const [index, { name, bytes }] of cases.entries()) {
  const [ours, theirs] = [median(times[index].netctl), median(times[index].openssh)];
  const ratio = theirs === undefined ? '' : `, ${(ours / theirs).toFixed(2)} of OpenSSH's ${show(theirs)}`;
  const rate = bytes === undefined ? '' : `, ${(bytes / 1e3 / ours).toFixed(0)} MB/s`;
  console.log(`${name}: ${show(ours)}${ratio}${rate}`);
}
