import { spawn } from 'node:child_process';
import { open } from 'node:fs/promises';

/**
 * Starts a shell script that outlives this process, in the cgroups given, with its output at the end of a file.
 * Gives its process number; `exec` in the script keeps it.
 */
export async function startInBackground(script: string, cgroups: readonly string[], logFile: string): Promise<number> {
  const log = await open(logFile, 'a');
  try {
    const join = cgroups.map((folder) => `echo $$ >'${folder}/cgroup.procs'\n`).join('');
    const child = spawn('sh', ['-eu', '-c', `${join}${script}`], { detached: true, stdio: ['ignore', log.fd, log.fd] });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    child.unref();
    return child.pid ?? 0;
  } finally {
    await log.close();
  }
}
