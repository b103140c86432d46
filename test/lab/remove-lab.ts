import { readdir, readFile, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { labFolder } from './base';
import { killCgroups, labsWithCgroups, removeCgroups } from './cgroups';
import { exec, mustExec } from './exec';
import { LabError } from './lab-error';
import { folderOf, labIds, readShape } from './lab-folders';
import { startTicksOf, withLock } from './lock';
import { machineDevice, namespaceOf } from './network';

/**
 * Removes a lab, whole or half-made: its processes, mounts, namespaces, links, cgroups and folder. It goes by names
 * alone, so it needs nothing of the lab to be right, and may be done twice.
 */
export async function removeLab(id: string): Promise<void> {
  const folder = folderOf(id);
  await stopGuard(id);
  await killCgroups(id);
  await unmountBelow(folder);
  await exec(['ip', 'link', 'del', machineDevice(id)]);
  for (const namespace of await labNamespaces(id)) await mustExec(['ip', 'netns', 'del', namespace]);
  await removePropagationFolders(id);
  await rm(folder, { recursive: true, force: true });
  // Not while another lab makes its own under the same parents.
  await withLock(join(labFolder(), 'lock'), async () => {
    await removeCgroups(id);
    await removeNamespaceFolder();
  });
}

/** `ip netns` mounts its folder on itself with the first namespace, and leaves it so. */
async function removeNamespaceFolder(): Promise<void> {
  if ((await namespaces()).length > 0 || !(await mountsBelow('/run')).includes('/run/netns')) return;
  // Not there to be removed, or in use again by now: both are well.
  if ((await exec(['umount', '/run/netns'])).code === 0) await rmdir('/run/netns').catch(() => {});
}

/** Removes the labs whose owner is gone: a test process that was killed cannot do it itself. */
export async function removeOrphans(report: (line: string) => void): Promise<void> {
  for (const id of await labIds()) {
    const shape = await readShape(id).catch(() => undefined);
    if (shape?.owner == null) continue;
    if ((await startTicksOf(shape.owner.pid)) === shape.owner.startTicks) continue;
    report(`lab ${id}: its owner, process ${shape.owner.pid}, is gone; removing it`);
    await removeLab(id);
  }
}

/** Every lab of which anything is left on this machine. */
export async function allLabs(): Promise<readonly string[]> {
  const fromNames = (await namespaces()).flatMap((name) => /^nl-([a-z0-9]+)-/.exec(name)?.[1] ?? []);
  return [...new Set([...(await labIds()), ...(await labsWithCgroups()), ...fromNames])];
}

/** Where the process number of a lab's guard stands. */
export function guardFile(id: string): string {
  return join(folderOf(id), 'guard.pid');
}

/** Ends the process that waits for the lab's owner to die, unless it is the one that is asking. */
export async function stopGuard(id: string): Promise<void> {
  const pid = Number(await readFile(guardFile(id), 'utf8').catch(() => ''));
  if (!(pid > 0) || pid === process.pid) return;
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  if (!commandLine.includes(guardFile(id))) return;
  try {
    // Its group: the guard and the `tail` in which it waits.
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

async function namespaces(): Promise<readonly string[]> {
  return readdir('/run/netns').catch(() => []);
}

async function labNamespaces(id: string): Promise<readonly string[]> {
  return (await namespaces()).filter((name) => name.startsWith(namespaceOf(id, '')));
}

async function mountsBelow(folder: string): Promise<readonly string[]> {
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n');
  return lines.flatMap((line) => {
    const point = line.split(' ')[4];
    return point?.startsWith(`${folder}/`) === true ? [point] : [];
  });
}

async function unmountBelow(folder: string): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const points = [...(await mountsBelow(folder))].reverse();
    if (points.length === 0) return;
    for (const point of points) await exec(['umount', point]);
    if (attempt > 0) await new Promise((resolve) => setTimeout(resolve, 50));
  }
  // Never remove files through a mount.
  throw new LabError(`${folder}: still mounted: ${(await mountsBelow(folder)).join(' ')}`);
}

/** systemd-nspawn cannot remove these itself. */
async function removePropagationFolders(id: string): Promise<void> {
  const parent = '/run/systemd/nspawn/propagate';
  for (const name of await readdir(parent).catch(() => [])) {
    if (name.startsWith(namespaceOf(id, ''))) await rmdir(join(parent, name));
  }
}
