import { randomBytes } from 'node:crypto';
import { chmod, copyFile, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { startInBackground } from './background';
import { type Base, ensureBase, labFolder, whyNoLab } from './base';
import { makeCgroups, unifiedHierarchy } from './cgroups';
import { makeEtcdCertificates } from './etcd-certificates';
import { exec, mustExec, mustRunScript } from './exec';
import { writeHostFiles } from './host-files';
import type { Lab } from './lab';
import { LabError } from './lab-error';
import { folderOf, hostFolder, labIds, writeShape } from './lab-folders';
import { startTicksOf, withLock } from './lock';
import { lanScript, namespaceOf, plugScript, unplugScript } from './network';
import { boot, openLab, startLanEtcd, waitForBoot } from './open-lab';
import { guardFile, removeLab, removeOrphans, stopGuard } from './remove-lab';
import { type HostShape, internetAddress, type LabOptions, type Shape, shapeOf } from './shape';
import { makeSshAccess } from './ssh-access';
import { installTools } from './tools';

/**
 * Starts a lab: real hosts on this machine, on a network that leads nowhere else. It gives the lab when every host has
 * booted and etcd, where asked for, is healthy. When that fails it removes what it made (`NETCTL_LAB_KEEP=1` keeps it)
 * and throws LabError. `report` is given a line for each thing that takes time.
 */
export async function startLab(options: LabOptions = {}, report: (line: string) => void = () => {}): Promise<Lab> {
  const reason = await whyNoLab();
  if (reason !== undefined) throw new LabError(reason);
  await installTools(report);
  await removeOrphans(report);
  const base = await ensureBase(report);
  const shape = await claim(options, base);
  try {
    await guard(shape.id, process.pid);
    await bringUp(shape, report);
    return openLab(await handOver(shape, options.ownerPid));
  } catch (error) {
    if (process.env['NETCTL_LAB_KEEP'] !== '1') await removeLab(shape.id);
    throw error;
  }
}

/** Gives the lab its name, its place and its networks, which no other lab has. */
async function claim(options: LabOptions, base: Base): Promise<Shape> {
  await mkdir(join(labFolder(), 'labs'), { recursive: true });
  const { shape, failure } = await withLock(join(labFolder(), 'lock'), async () => {
    const id = options.id ?? randomBytes(3).toString('hex');
    if ((await labIds()).includes(id)) {
      throw new LabError(`${id}: this lab is up already (test/lab/lab down --lab ${id} removes it)`);
    }
    const owner = { pid: process.pid, startTicks: (await startTicksOf(process.pid)) ?? '' };
    const shape = shapeOf(options, { id, folder: folderOf(id), owner, base }, await reachedNetworks());
    await mkdir(shape.folder, { mode: 0o700 });
    await writeShape(shape);
    // Under the lock: with its route on this machine the next lab sees that the network is taken.
    const laid = makeCgroups(id, 'lan/internet').then(() => mustRunScript(lanScript(shape)));
    const failure: unknown = await laid.then(
      () => undefined,
      (error: unknown) => error,
    );
    return { shape, failure };
  });
  if (failure === undefined) return shape;
  // Outside the lock, which removing takes itself.
  await removeLab(shape.id);
  throw failure;
}

const routesSchema = z.array(z.object({ dst: z.string() }));

async function reachedNetworks(): Promise<readonly string[]> {
  const routes = routesSchema.parse(JSON.parse(await mustExec(['ip', '-json', '-4', 'route', 'show', 'table', 'all'])));
  return routes.map((route) => route.dst).filter((dst) => dst !== 'default' && !dst.startsWith('0.0.0.0'));
}

/** Starts a process that removes the lab as soon as its owner is gone. */
async function guard(id: string, ownerPid: number): Promise<void> {
  await stopGuard(id);
  const lab = join(dirname(fileURLToPath(import.meta.url)), 'lab');
  // The file's name in its command line is how `stopGuard` knows it.
  const script = `: '${guardFile(id)}'; tail --pid=${ownerPid} -s 0.5 -f /dev/null; exec '${lab}' down --lab ${id}`;
  await writeFile(guardFile(id), String(await startInBackground(script, [], '/dev/null')));
}

/** From here on the lab is its user's: it lives as long as the owner that was asked for. */
async function handOver(shape: Shape, ownerPid: number | null | undefined): Promise<Shape> {
  if (ownerPid === undefined || ownerPid === process.pid) return shape;
  if (ownerPid === null) {
    const free = { ...shape, owner: null };
    await writeShape(free);
    await stopGuard(shape.id);
    return free;
  }
  const startTicks = await startTicksOf(ownerPid);
  if (startTicks === undefined) throw new LabError(`${ownerPid}: the lab's owner is no process`);
  const owned = { ...shape, owner: { pid: ownerPid, startTicks } };
  await writeShape(owned);
  await guard(shape.id, ownerPid);
  return owned;
}

async function bringUp(shape: Shape, report: (line: string) => void): Promise<void> {
  await mkdir(join(shape.folder, 'ssh'));
  await mkdir(join(shape.folder, 'etcd'));
  await Promise.all([
    makeSshAccess(shape),
    shape.etcd?.tls === true ? makeEtcdCertificates(shape.folder, shape.etcd) : undefined,
    startInternet(shape),
  ]);
  const unified = await unifiedHierarchy();
  const lab = openLab(shape);
  for (const member of shape.etcd?.members ?? []) {
    if (member.place === 'lan' && shape.etcd !== null) await startLanEtcd(shape, shape.etcd, member.name);
  }
  const states = await Promise.all(
    shape.hosts.map(async (host) => {
      await prepareHost(shape, host, unified);
      await boot(shape, host.name);
      return { name: host.name, ...(await waitForBoot(lab.host(host.name), hostFolder(shape, host.name))) };
    }),
  );
  const bad = states.filter(({ state }) => state !== 'running');
  if (bad.length > 0) {
    throw new LabError(
      bad.map(({ name, state, failedUnits }) => `${name}: ${state} after boot: ${failedUnits.join(' ')}`).join('\n'),
    );
  }
  report(`lab ${shape.id}: ${states.length} hosts are up`);
  await waitForEtcd(lab);
}

async function prepareHost(shape: Shape, host: HostShape, unified: boolean): Promise<void> {
  const folder = hostFolder(shape, host.name);
  for (const part of ['root', 'upper', 'work', 'docker']) await mkdir(join(folder, part), { recursive: true });
  await mountOverlay(shape.base.root, folder);
  await writeHostFiles(shape, host, join(folder, 'root'));
  await writeFile(join(folder, 'plug.sh'), plugScript(shape, host));
  await writeFile(join(folder, 'unplug.sh'), unplugScript(shape, host));
  const cgroups = await makeCgroups(shape.id, `${host.name}/machine`);
  await writeFile(join(folder, 'boot.sh'), bootScript(shape, host, cgroups, unified));
}

/** `volatile` skips the disk's slow promises: a lab does not outlive its machine. */
async function mountOverlay(lower: string, folder: string): Promise<void> {
  const options = `lowerdir=${lower},upperdir=${folder}/upper,workdir=${folder}/work`;
  const mount = (more: string) =>
    exec(['mount', '-t', 'overlay', 'overlay', '-o', `${options}${more}`, `${folder}/root`]);
  if ((await mount(',volatile')).code === 0) return;
  const output = await mount('');
  if (output.code !== 0) throw new LabError(`${folder}/root: no overlay can be mounted: ${output.stderr.trim()}`);
}

/** What boots the host, and boots it again when it ends for a reboot (exit code 133 of systemd-nspawn). */
function bootScript(shape: Shape, host: HostShape, cgroups: readonly string[], unified: boolean): string {
  const folder = hostFolder(shape, host.name);
  const machine = namespaceOf(shape.id, host.name);
  const modules = '/lib/modules/$(uname -r)';
  return `#!/bin/sh
# Boots ${host.name} of lab ${shape.id} until it is powered off. Written by test/lab/start-lab.ts.
cd '${folder}' || exit 1
cgroups='${cgroups.join(' ')}'
set -- --quiet --register=no --keep-unit --boot --directory=root --machine=${machine} --hostname=${host.name} \\
  --network-namespace-path=/run/netns/${machine} --capability=all --system-call-filter='@keyring bpf @mount' \\
  --console=pipe --resolv-conf=off --timezone=off --link-journal=no --bind='${folder}/docker:/var/lib/docker'
if [ -e "${modules}/modules.dep" ]; then set -- "$@" --bind-ro="${modules}"; fi
while :; do
  sh ./unplug.sh
  sh -eu ./plug.sh || exit 1
  for c in $cgroups; do
    find "$c" -mindepth 1 -depth -type d -exec rmdir {} ';' 2>/dev/null
    # A version 2 cgroup that has handed controllers on takes no process: a new one does.
    if [ -e "$c/cgroup.subtree_control" ]; then rmdir "$c" && mkdir "$c"; fi
  done
  # Only /proc/sys/net is the host's own: the rest of /proc/sys would be this machine's.
  sh -c 'for c in $0; do echo $$ >"$c/cgroup.procs"; done; echo $$ >nspawn.pid
    exec env SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=${unified ? 1 : 0} SYSTEMD_NSPAWN_API_VFS_WRITABLE=network systemd-nspawn "$@"' \\
    "$cgroups" "$@" >>console.log 2>&1 </dev/null
  code=$?
  rm -f nspawn.pid
  sh ./unplug.sh
  echo "systemd-nspawn ended with $code"
  if [ "$code" != 133 ]; then exit 0; fi
done
`;
}

async function startInternet(shape: Shape): Promise<void> {
  const www = join(shape.folder, 'www');
  await mkdir(join(www, 'cgi-bin'), { recursive: true });
  for (const name of ['index.cgi', 'address']) {
    await copyFile(join(shape.base.www, 'cgi-bin', 'address'), join(www, 'cgi-bin', name));
    await chmod(join(www, 'cgi-bin', name), 0o755);
  }
  const script = `exec nsenter --net=/run/netns/${namespaceOf(shape.id, 'lan')} '${shape.base.busybox}' httpd -f -vv -p ${internetAddress}:80 -h '${www}'`;
  await startInBackground(script, await makeCgroups(shape.id, 'lan/internet'), join(shape.folder, 'internet.log'));
}

async function waitForEtcd(lab: Lab): Promise<void> {
  if (lab.etcd === null) return;
  for (let attempt = 0; ; attempt++) {
    const output = await lab.etcd.ctl('endpoint', 'health');
    if (output.code === 0) return;
    if (attempt === 30) throw new LabError(`lab ${lab.id}: etcd is not healthy:\n${output.stderr}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
