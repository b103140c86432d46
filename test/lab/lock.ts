import { readFile, rm, writeFile } from 'node:fs/promises';
import { LabError } from './lab-error';

/** Runs `work` while no other process on this machine runs work under the same file. */
export async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  await acquire(file);
  try {
    return await work();
  } finally {
    await rm(file, { force: true });
  }
}

async function acquire(file: string): Promise<void> {
  for (let attempt = 0; attempt < 1200; attempt++) {
    try {
      await writeFile(file, String(process.pid), { flag: 'wx' });
      return;
    } catch {
      const holder = Number(await readFile(file, 'utf8').catch(() => ''));
      // An empty file is one whose holder has not written its number yet.
      if (holder > 0 && (await startTicksOf(holder)) === undefined) await rm(file, { force: true });
      else await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  throw new LabError(`${file}: held for a minute; is another lab starting? If not, remove the file`);
}

/** When a process started, in ticks since boot: with its number, this names it for good. Undefined when it is gone. */
export async function startTicksOf(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // The name, in brackets, may hold anything; the 22nd field is the 20th after it.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields === undefined || fields[0] === 'Z' ? undefined : fields[19];
}
