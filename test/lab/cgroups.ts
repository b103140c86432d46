import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LabError } from './lab-error';

/** Everything that a lab starts is in its own cgroups: that is how all of it is found again. */
const top = 'netctl-lab';

/** Where this machine's cgroup trees are mounted: one for version 2, several for version 1. */
async function trees(): Promise<readonly { readonly mount: string; readonly version: 1 | 2 }[]> {
  const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n').map((line) => line.split(' '));
  const found = mounts.flatMap(([, mount, type]) => {
    if (mount === undefined || (type !== 'cgroup' && type !== 'cgroup2')) return [];
    return [{ mount, version: type === 'cgroup2' ? (2 as const) : (1 as const) }];
  });
  if (found.length === 0) throw new LabError('the lab needs cgroups, and none are mounted on /sys/fs/cgroup');
  return found;
}

/** True when systemd in a host is to use version 2 alone, as this machine does. */
export async function unifiedHierarchy(): Promise<boolean> {
  return (await trees()).every((tree) => tree.version === 2);
}

/** Makes the cgroup `place` of a lab in every tree and gives their folders. */
export async function makeCgroups(id: string, place: string): Promise<readonly string[]> {
  const folders: string[] = [];
  for (const { mount, version } of await trees()) {
    let parent = mount;
    for (const part of [top, id, ...place.split('/')]) {
      const child = join(parent, part);
      await mkdir(child, { recursive: true });
      if (version === 2) await passControllersOn(parent);
      else await inheritCpuset(parent, child);
      parent = child;
    }
    folders.push(parent);
  }
  return folders;
}

/** A version 2 child has the controllers that its parent hands out. */
async function passControllersOn(parent: string): Promise<void> {
  for (const controller of (await readOr(join(parent, 'cgroup.controllers'), '')).trim().split(/\s+/)) {
    if (controller !== '') await writeFile(join(parent, 'cgroup.subtree_control'), `+${controller}`).catch(() => {});
  }
}

/** A version 1 cpuset takes no process before it has processors and memory. */
async function inheritCpuset(parent: string, child: string): Promise<void> {
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    const own = await readOr(join(child, file), undefined);
    if (own?.trim() === '') await writeFile(join(child, file), await readFile(join(parent, file), 'utf8'));
  }
}

/** The labs that have cgroups, whether or not anything else is left of them. */
export async function labsWithCgroups(): Promise<readonly string[]> {
  const ids = new Set<string>();
  for (const { mount } of await trees()) for (const id of await folders(join(mount, top))) ids.add(id);
  return [...ids];
}

/** The processes in a lab's cgroup and in those below it. */
export async function processesOf(id: string, place = ''): Promise<readonly number[]> {
  const pids = new Set<number>();
  for (const { mount } of await trees()) {
    await walk(join(mount, top, id, place), async (folder) => {
      for (const pid of (await readOr(join(folder, 'cgroup.procs'), '')).split('\n'))
        if (pid !== '') pids.add(Number(pid));
    });
  }
  // 0 stands for a process that this namespace cannot see.
  pids.delete(0);
  return [...pids];
}

/** Ends every process of a lab's cgroup. Throws LabError when some are left after ten seconds. */
export async function killCgroups(id: string, place = ''): Promise<void> {
  await freezeCgroups(id, place, false);
  for (let round = 0; round < 200; round++) {
    const pids = (await processesOf(id, place)).filter((pid) => pid !== process.pid);
    if (pids.length === 0) return;
    for (const pid of pids) kill(pid);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const left = (await processesOf(id, place)).join(' ');
  throw new LabError(`lab ${id}: these processes do not end: ${left}`);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

/** Stops the processes where they stand, or lets them go on. */
export async function freezeCgroups(id: string, place: string, frozen: boolean): Promise<void> {
  for (const { mount } of await trees()) {
    const folder = join(mount, top, id, place);
    await writeIfThere(join(folder, 'freezer.state'), frozen ? 'FROZEN' : 'THAWED');
    await writeIfThere(join(folder, 'cgroup.freeze'), frozen ? '1' : '0');
  }
}

/** Removes a lab's empty cgroups, and the lab's own folder in the trees when it was the last lab. */
export async function removeCgroups(id: string): Promise<void> {
  for (const { mount } of await trees()) {
    await walk(join(mount, top, id), async (folder) => {
      await removeFolder(folder);
    });
    await rmdir(join(mount, top)).catch(() => {});
  }
}

/** The kernel lets an emptied cgroup go a moment later. */
async function removeFolder(folder: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await rmdir(folder);
      return;
    } catch (error) {
      if (attempt === 40) throw new LabError(`${folder}: cannot be removed: ${String(error)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** Visits a folder and those below it, the deepest first. */
async function walk(folder: string, visit: (folder: string) => Promise<void>): Promise<void> {
  const children = await readdir(folder, { withFileTypes: true }).catch(() => undefined);
  if (children === undefined) return;
  for (const child of children) if (child.isDirectory()) await walk(join(folder, child.name), visit);
  await visit(folder);
}

async function folders(parent: string): Promise<readonly string[]> {
  const children = await readdir(parent, { withFileTypes: true }).catch(() => []);
  return children.filter((child) => child.isDirectory()).map((child) => child.name);
}

async function readOr<T>(file: string, otherwise: T): Promise<string | T> {
  return readFile(file, 'utf8').catch(() => otherwise);
}

async function writeIfThere(file: string, text: string): Promise<void> {
  await writeFile(file, text, { flag: 'r+' }).catch(() => {});
}
