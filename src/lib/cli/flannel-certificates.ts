import type { PushedCertificates } from '../check/fleet-certificates';
import type { Inventory } from '../inventory/inventory';
import type { PemFile } from '../net/certificate-check';
import { readSettingFile } from './load-etcd-options';
import type { Session } from './session';
import type { EtcdSettings, Sourced } from './settings';

/**
 * The CA and the client certificate that bootstrap gives to flanneld: those of the section `flannel.etcd`, else netctl's own. The key
 * is not read.
 * @throws InvalidInput `file-unreadable`, `file-too-large`
 */
export async function flannelCertificates(session: Session, inventory: Inventory): Promise<PushedCertificates> {
  const settings = await session.settings();
  const ca = await pemFile(inventory, settings, 'ca');
  const cert = await pemFile(inventory, settings, 'cert');
  return { ...(ca === undefined ? {} : { ca }), ...(cert === undefined ? {} : { cert }) };
}

/**
 * The same with the private key, for those who copy it to nodes.
 * @throws InvalidInput `file-unreadable`, `file-too-large`
 */
export async function flannelCertificatesAndKey(
  session: Session,
  inventory: Inventory,
): Promise<PushedCertificates & { readonly key?: PemFile }> {
  const key = await pemFile(inventory, await session.settings(), 'key');
  return { ...(await flannelCertificates(session, inventory)), ...(key === undefined ? {} : { key }) };
}

const names = { ca: 'CA', cert: 'client certificate', key: 'private key' } as const;

async function pemFile(
  { flannel: { etcd } }: Inventory,
  settings: EtcdSettings,
  role: keyof typeof names,
): Promise<PemFile | undefined> {
  const own = etcd[role];
  const setting: Sourced<string> | { readonly value: string; readonly source: { readonly name: string } } | undefined =
    own === undefined ? settings[role] : { value: own, source: { name: `flannel.etcd.${role}` } };
  if (setting === undefined) return undefined;
  const { path, bytes } = await readSettingFile(setting, `flanneld's ${names[role]}`);
  return { path, bytes };
}
