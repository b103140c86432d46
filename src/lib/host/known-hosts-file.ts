import { mkdir, open, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { InvalidInput } from '../errors';
import { type KnownHost, knownHostLine, parseKnownHosts } from './known-hosts';

/** Where host keys are known from. */
export interface KnownHostsFiles {
  /** The user's own; new keys go into the first. */
  readonly user: readonly string[];
  readonly global: readonly string[];
}

/** Reads all files there are. @throws InvalidInput `known-hosts-unreadable`: leaving one out could hide a revoked key */
export async function readKnownHosts(files: KnownHostsFiles): Promise<readonly KnownHost[]> {
  const texts = await Promise.all([...files.user, ...files.global].map(readIfThere));
  return texts.flatMap(({ file, text }) => parseKnownHosts(text, file));
}

async function readIfThere(file: string): Promise<{ readonly file: string; readonly text: string }> {
  try {
    return { file, text: await readFile(file, 'latin1') };
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) {
      return { file, text: '' };
    }
    throw new InvalidInput({
      code: 'known-hosts-unreadable',
      message: `${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      next: [
        'It holds the keys by which hosts are recognised. Make it readable, or name another: knownHosts in netctl.yaml',
      ],
      cause: error,
    });
  }
}

/**
 * Adds a host's key to the file, in one write, so that neither ssh nor another netctl that adds a line at the same moment loses
 * one. The name is hashed when `isHashed`, or when the file has hashed names already.
 * @throws InvalidInput `known-hosts-unwritable`
 */
export async function addKnownHost(file: string, name: string, key: Uint8Array, isHashed: boolean): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    const handle = await open(file, 'a+', 0o600);
    try {
      const before = await handle.readFile('latin1');
      const line = knownHostLine(name, key, isHashed || /^(?:@\S+\s+)?\|1\|/m.test(before));
      await handle.appendFile(`${before === '' || before.endsWith('\n') ? '' : '\n'}${line}\n`);
      // /dev/null, where people throw keys away, cannot be flushed.
      await handle.sync().catch(() => undefined);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw new InvalidInput({
      code: 'known-hosts-unwritable',
      message: `${file} cannot be written, so the new key of ${name} would be accepted again and again: ${error instanceof Error ? error.message : String(error)}`,
      next: ['Make it writable, name another (knownHosts in netctl.yaml), or add the key yourself'],
      cause: error,
    });
  }
}
