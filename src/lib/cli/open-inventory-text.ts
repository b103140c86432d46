import { join } from 'node:path';
import { InvalidInput } from '../errors';
import { findInventory, readInventoryFile } from '../inventory/find-inventory';
import { readInput } from './read-input';

/**
 * The bytes of an inventory that shall be looked at, valid or not.
 * @param named a file, `-` for standard input, or nothing for the one that every command takes
 * @throws InvalidInput `inventory-not-found` and what reading throws
 */
export async function openInventoryText(
  named: string | undefined,
  env: NodeJS.ProcessEnv,
  cwd: string,
): Promise<{ readonly content: Uint8Array; readonly file: string; readonly shownAs: string }> {
  if (named === '-')
    return { content: await readInput('-'), file: join(cwd, 'netctl.yaml'), shownAs: 'standard input' };
  const found = await findInventory({ config: named, env, cwd });
  if (found === undefined) {
    throw new InvalidInput({
      code: 'inventory-not-found',
      message: 'there is no inventory: neither netctl.yaml here nor one in your configuration directory',
      next: ['netctl config init', 'or name it: netctl config validate FILE'],
    });
  }
  return { content: await readInventoryFile(found), file: found.file, shownAs: found.shownAs };
}
