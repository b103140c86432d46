import { readFile } from 'node:fs/promises';
import type { PushedCertificates } from '../check/fleet-certificates';
import { InvalidInput } from '../errors';
import type { Inventory } from '../inventory/inventory';
import type { PemFile } from '../net/certificate-check';
import type { Session } from './session';

/**
 * The CA and the client certificate that bootstrap gives to flanneld: those of the section `flannel.etcd`, else netctl's own. The key
 * is not read.
 * @throws InvalidInput `file-unreadable`
 */
export async function flannelCertificates(session: Session, inventory: Inventory): Promise<PushedCertificates> {
  const { etcd } = inventory.flannel;
  const settings = await session.settings();
  const ca = await pemFile(etcd.ca ?? settings.ca?.value);
  const cert = await pemFile(etcd.cert ?? settings.cert?.value);
  return { ...(ca === undefined ? {} : { ca }), ...(cert === undefined ? {} : { cert }) };
}

async function pemFile(path: string | undefined): Promise<PemFile | undefined> {
  if (path === undefined) return undefined;
  try {
    return { path, bytes: await readFile(path) };
  } catch (error) {
    throw new InvalidInput({
      code: 'file-unreadable',
      message: `${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      next: ['netctl config show says where the path comes from'],
      cause: error,
    });
  }
}
