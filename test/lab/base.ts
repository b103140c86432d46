import { createHash } from 'node:crypto';
import { access, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { release } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { exec, mustExec } from './exec';

const script = join(dirname(fileURLToPath(import.meta.url)), 'base.sh');

export interface Base {
  /** The root file system that each host is an overlay of. Nobody writes in it. */
  readonly root: string;
  /** A static busybox, which runs on the machine as well. */
  readonly busybox: string;
  /** `index.html` and `cgi-bin/address`, which tells each caller its own address. */
  readonly www: string;
}

/** The folder that bases and labs live in: `NETCTL_LAB_DIR`, or /var/cache/netctl-lab. */
export function labFolder(): string {
  return process.env['NETCTL_LAB_DIR'] ?? '/var/cache/netctl-lab';
}

/**
 * Gives the base root file system, built when it is missing or when its script has changed (about a minute, from
 * Debian's mirror; `NETCTL_LAB_MIRROR` and `NETCTL_LAB_SUITE` choose another). Waits for one who is building it already.
 */
export async function ensureBase(report: (line: string) => void): Promise<Base> {
  const mirror = process.env['NETCTL_LAB_MIRROR'] ?? 'http://deb.debian.org/debian';
  const suite = process.env['NETCTL_LAB_SUITE'] ?? 'bookworm';
  const key = createHash('sha256')
    .update([await readFile(script, 'utf8'), mirror, suite, release()].join('\0'))
    .digest('hex')
    .slice(0, 12);
  const bases = join(labFolder(), 'bases');
  const folder = join(bases, key);
  const base: Base = { root: join(folder, 'root'), busybox: join(folder, 'busybox'), www: join(folder, 'www') };
  if (await exists(base.root)) return base;

  await mkdir(bases, { recursive: true });
  report(`building the base file system in ${folder} (about a minute, once)`);
  await mustExec(['flock', join(bases, 'lock'), 'sh', script, folder, mirror, suite], { timeoutSeconds: 900 });
  await removeUnused(bases, key);
  return base;
}

/** Bases of an older script are of no use, unless a lab still stands on one. */
async function removeUnused(bases: string, key: string): Promise<void> {
  const mounts = await readFile('/proc/mounts', 'utf8');
  for (const name of await readdir(bases)) {
    if (!/^[0-9a-f]{12}$/.test(name) || name === key || mounts.includes(join(bases, name))) continue;
    await rm(join(bases, name), { recursive: true, force: true });
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Says what is missing for a lab on this machine, or nothing. */
export async function whyNoLab(): Promise<string | undefined> {
  if (process.platform !== 'linux') return `the lab needs Linux, and this is ${process.platform}`;
  if (process.getuid?.() !== 0)
    return 'the lab needs root (it makes network namespaces and boots hosts): sudo test/lab/lab …';
  const unshared = await exec(['unshare', '--mount', '--net', '--uts', '--ipc', '--pid', '--fork', '--cgroup', 'true']);
  if (unshared.code !== 0) return `the lab needs namespaces, and unshare says: ${unshared.stderr.trim()}`;
  if (!(await readFile('/proc/filesystems', 'utf8')).includes('\toverlay')) {
    return 'the lab needs overlayfs, which this kernel has not (modprobe overlay)';
  }
  return undefined;
}
