import { randomBytes } from 'node:crypto';
import { link, open, realpath, rename, stat, unlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ChangeFailed, InvalidInput, Refused } from '../errors';

/**
 * Writes a text file whole or not at all: beside the target, flushed, then put in its place. What is no file, such as a pipe or
 * `/dev/stdout`, is written into and stays what it is.
 * @param text a long one may come in chunks
 * @param options `force`: replace what is there; otherwise the file must not exist yet
 * @throws Refused `file-exists` · InvalidInput `file-unwritable` · ChangeFailed `file-write-failed` (a full disk)
 */
export async function writeTextFile(
  file: string,
  text: string | Iterable<string>,
  options: { readonly mode: number; readonly force: boolean },
): Promise<void> {
  if (options.force && (await isStream(file))) return writeInto(file, text);
  // Through a symbolic link, as an editor would: the link itself stays.
  const target = options.force ? await realpath(file).catch(() => file) : file;
  const beside = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}`);
  let isBeside = false;
  try {
    const handle = await open(beside, 'wx', 0o600);
    isBeside = true;
    try {
      await writeFile(handle, text);
      await handle.chmod(options.mode);
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (options.force) {
      await rename(beside, target);
      isBeside = false;
    } else {
      // A link fails when there is a file, in one step; a look before a rename would leave a gap.
      await link(beside, target);
    }
  } catch (error) {
    throw wordsFor(error, file);
  } finally {
    if (isBeside) await unlink(beside).catch(() => undefined);
  }
}

/** A device, a pipe, a socket; also a file that is open as `/dev/stdout`, which whoever redirected it goes on reading. */
async function isStream(file: string): Promise<boolean> {
  const found = await stat(file).catch(() => undefined);
  return found !== undefined && !found.isDirectory() && (!found.isFile() || /^\/(?:dev|proc)\//.test(file));
}

async function writeInto(file: string, text: string | Iterable<string>): Promise<void> {
  try {
    await writeFile(file, text);
  } catch (error) {
    throw wordsFor(error, file, ['A part of it may have been written.']);
  }
}

function wordsFor(error: unknown, file: string, details = ['Nothing is left half-written.']): Error {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'EEXIST') {
    return new Refused({
      code: 'file-exists',
      message: `${file} is there already and was left as it is`,
      next: ['--force replaces it', 'or name another file', 'or - to print it'],
      cause: error,
    });
  }
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: 'its folder does not exist',
    ENOTDIR: 'its folder is a file',
    EACCES: 'permission denied',
    EPERM: 'not permitted by the file system',
    EROFS: 'the file system is read-only',
    EISDIR: 'it is a directory',
    ENAMETOOLONG: 'its name is too long',
  };
  const reason = reasons[code];
  if (reason !== undefined) {
    return new InvalidInput({
      code: 'file-unwritable',
      message: `${file} cannot be written: ${reason}`,
      next: ['Name a file in a folder that you may write to, or - to print it'],
      cause: error,
    });
  }
  return new ChangeFailed({
    code: 'file-write-failed',
    message: `${file} was not written: ${error instanceof Error ? error.message : String(error)}`,
    details,
    cause: error,
  });
}
