import { open, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { InvalidInput } from '../errors';
import type { Inventory } from './inventory';
import { maximumInventoryBytes } from './inventory-size';

export interface WhereToLook {
  /** The value of `--config`, if it was given. */
  readonly config?: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** Default: the user's own. */
  readonly home?: string;
}

/** A file that is there, not read yet. */
export interface FoundInventory {
  /** Absolute. */
  readonly file: string;
  /** How people would write it: relative when it lies in or below the working directory. */
  readonly shownAs: string;
  /** What led to it. */
  readonly by: '--config' | 'NETCTL_CONFIG' | 'working directory' | 'configuration directory';
  /** Further candidates that are there too and were passed over. */
  readonly ignored: readonly string[];
}

/**
 * The inventory: `--config`, else `NETCTL_CONFIG`, else `netctl.yaml` (or `.yml`) in the working directory, else in
 * `$XDG_CONFIG_HOME/netctl` (`~/.config/netctl`). `undefined` when nothing names one and no default is there.
 * @throws InvalidInput `inventory-not-found`, `inventory-unreadable`: one that was named must be there
 */
export async function findInventory(where: WhereToLook): Promise<FoundInventory | undefined> {
  const { env, cwd } = where;
  const variable = env['NETCTL_CONFIG'] ?? '';
  // oclif folds the variable into the flag, so a flag that says the same as the variable came from it.
  const named = where.config ?? (variable === '' ? undefined : variable);
  if (named !== undefined && named !== '') {
    const by = named === variable ? 'NETCTL_CONFIG' : '--config';
    const file = resolve(cwd, named);
    const kind = await kindOf(file);
    if (kind === 'none') {
      throw new InvalidInput({
        code: 'inventory-not-found',
        message: `${by}: there is no file ${JSON.stringify(named)}`,
        next: [`netctl config init ${quoteWord(named)}`],
      });
    }
    if (kind === 'directory') {
      throw new InvalidInput({
        code: 'inventory-unreadable',
        message: `${by}: ${JSON.stringify(named)} is a directory; name the file in it`,
        next: [`--config ${quoteWord(join(named, 'netctl.yaml'))}`],
      });
    }
    return { file, shownAs: shown(file, cwd), by, ignored: [] };
  }
  const home = where.home ?? env['HOME'] ?? homedir();
  const xdg = env['XDG_CONFIG_HOME'] ?? '';
  // The XDG specification has relative paths ignored.
  const config = join(xdg.startsWith('/') ? xdg : join(home, '.config'), 'netctl');
  const candidates = [
    { file: join(cwd, 'netctl.yaml'), by: 'working directory' },
    { file: join(cwd, 'netctl.yml'), by: 'working directory' },
    { file: join(config, 'netctl.yaml'), by: 'configuration directory' },
    { file: join(config, 'netctl.yml'), by: 'configuration directory' },
  ] as const;
  for (const [index, candidate] of candidates.entries()) {
    if ((await kindOf(candidate.file)) !== 'file') continue;
    const twin = candidates[index + 1];
    const hasTwin = twin !== undefined && twin.by === candidate.by && (await kindOf(twin.file)) === 'file';
    return {
      file: candidate.file,
      shownAs: shown(candidate.file, cwd),
      by: candidate.by,
      ignored: hasTwin ? [shown(twin.file, cwd)] : [],
    };
  }
  return undefined;
}

/**
 * The bytes of an inventory.
 * @throws InvalidInput `inventory-unreadable`, `inventory-too-large`
 */
export async function readInventoryFile(found: Pick<FoundInventory, 'file' | 'shownAs'>): Promise<Uint8Array> {
  let handle: Awaited<ReturnType<typeof open>> | undefined;
  try {
    handle = await open(found.file, 'r');
    const chunks: Uint8Array[] = [];
    let total = 0;
    // Not readFile: what is read may be a pipe or a device without an end.
    for await (const chunk of handle.createReadStream({ highWaterMark: 256 * 1024, autoClose: false })) {
      const bytes: Uint8Array = chunk;
      total += bytes.length;
      if (total > maximumInventoryBytes) {
        throw new InvalidInput({
          code: 'inventory-too-large',
          message: `${found.shownAs} holds more than ${maximumInventoryBytes} bytes; no inventory is that large`,
          next: ['Is it the right file? --config FILE names another'],
        });
      }
      chunks.push(bytes);
    }
    return Buffer.concat(chunks);
  } catch (error) {
    if (error instanceof InvalidInput) throw error;
    throw new InvalidInput({
      code: 'inventory-unreadable',
      message: `${found.shownAs} cannot be read: ${reasonOf(error)}`,
      next: [`ls -l ${quoteWord(found.shownAs)}`],
      cause: error,
    });
  } finally {
    await handle?.close();
  }
}

/** Found, read and parsed. */
export interface LoadedInventory {
  readonly found: FoundInventory;
  readonly inventory: Inventory;
}

/**
 * Finds, reads and parses the inventory; `undefined` when there is none and none was named.
 * @throws InvalidInput as `findInventory`, `readInventoryFile` and `parseInventory` do
 */
export async function loadInventory(where: WhereToLook): Promise<LoadedInventory | undefined> {
  const found = await findInventory(where);
  if (found === undefined) return undefined;
  const [content, { parseInventory }] = await Promise.all([readInventoryFile(found), import('./parse-inventory')]);
  return { found, inventory: parseInventory(content, found.file, found.shownAs) };
}

async function kindOf(file: string): Promise<'file' | 'directory' | 'none'> {
  try {
    return (await stat(file)).isDirectory() ? 'directory' : 'file';
  } catch (error) {
    const code = codeOf(error);
    // Not allowed to look is not the same as not there: reading it will say why.
    return code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG' || code === 'ERR_INVALID_ARG_VALUE'
      ? 'none'
      : 'file';
  }
}

function shown(file: string, cwd: string): string {
  const near = relative(cwd, file);
  return near === '' || near.startsWith('..') ? file : near;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function reasonOf(error: unknown): string {
  switch (codeOf(error)) {
    case 'EACCES':
    case 'EPERM':
      return 'permission denied';
    case 'ENOENT':
      return 'it is not there any more';
    case 'ELOOP':
      return 'its symbolic links go round in a circle';
    default:
      return error instanceof Error ? error.message : String(error);
  }
}

function quoteWord(word: string): string {
  return /^[A-Za-z0-9_./~@%+=:,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
