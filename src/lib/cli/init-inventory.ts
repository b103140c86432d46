import { dirname, isAbsolute, relative, resolve } from 'node:path';
import { InvalidInput } from '../errors';
import { formatInventoryProblem } from '../inventory/inventory-problem';
import { readInventory } from '../inventory/parse-inventory';
import { inventoryTemplate, type TemplateValue } from '../inventory/template';
import { type EtcdFlagValues, resolveEtcdSettings, type Sourced } from './settings';

export interface InitWish {
  /** Where the file will lie: paths in it are relative to its folder. */
  readonly file: string;
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly etcd: EtcdFlagValues;
  readonly network?: string | undefined;
  readonly subnetLen?: number | undefined;
  readonly backend?: string | undefined;
  readonly flannel?: string | undefined;
  /** `NAME=ADDRESS`, or `NAME` alone. */
  readonly nodes: readonly string[];
  readonly full: boolean;
}

/**
 * The text of a new inventory with what flags and environment say filled in; checked before it is given back.
 * @throws InvalidInput `inventory-invalid` and what `resolveEtcdSettings` throws; the message names the flag
 */
export function initialInventory(wish: InitWish): string {
  const values = new Map<string, TemplateValue>();
  addEtcd(values, wish);
  if (wish.network !== undefined) values.set('network.cidr', wish.network);
  if (wish.subnetLen !== undefined) values.set('network.subnetLen', wish.subnetLen);
  if (wish.backend !== undefined) values.set('network.backend.type', wish.backend);
  if (wish.flannel !== undefined) values.set('flannel.version', wish.flannel);
  const nodes = wish.nodes.map(readNode);
  const text = inventoryTemplate({ values, nodes, full: wish.full });
  const { problems } = readInventory(text, resolve(wish.cwd, wish.file));
  if (problems.length === 0) return text;
  throw new InvalidInput({
    code: 'inventory-invalid',
    message: 'what was given does not make a valid inventory; nothing was written',
    details: problems.map((problem) => {
      const flag = flagOf(problem.path);
      return formatInventoryProblem('', { ...problem, path: flag }).replace(/^:\d+:\d+ /, '');
    }),
  });
}

function addEtcd(values: Map<string, TemplateValue>, wish: InitWish): void {
  const settings = resolveEtcdSettings({ flags: wish.etcd, env: wish.env });
  const folder = dirname(resolve(wish.cwd, wish.file));
  const path = (text: string): string => (isAbsolute(text) ? text : relative(folder, resolve(wish.cwd, text)));
  const add = (key: string, found: Sourced<TemplateValue> | undefined): void => {
    if (found !== undefined && found.source.kind !== 'default') values.set(`etcd.${key}`, found.value);
  };
  const addPath = (key: string, found: Sourced<string> | undefined): void => {
    if (found !== undefined) values.set(`etcd.${key}`, path(found.value));
  };
  add('endpoints', settings.endpoints);
  add('prefix', settings.prefix);
  add('api', settings.api);
  addPath('ca', settings.ca);
  addPath('cert', settings.cert);
  addPath('key', settings.key);
  add('user', settings.user);
  // A password that came as text stays out: a file that is meant to be shared is no place for it.
  if (settings.password?.value.kind === 'file') values.set('etcd.passwordFile', path(settings.password.value.path));
  if (settings.timeoutMs.source.kind !== 'default') values.set('etcd.timeoutSeconds', settings.timeoutMs.value / 1000);
}

function readNode(text: string): { readonly name: string; readonly address?: string } {
  const [name = '', ...rest] = text.split('=');
  const address = rest.join('=');
  if (name === '' || (rest.length > 0 && address === '')) {
    throw new InvalidInput({
      code: 'inventory-invalid',
      message: `--node: ${JSON.stringify(text)} is not NAME=ADDRESS`,
      next: [`--node ${name || 'node1'}=${address || '10.4.7.21'}`],
    });
  }
  return rest.length === 0 ? { name } : { name, address };
}

function flagOf(path: string): string {
  const flags: readonly (readonly [RegExp, string])[] = [
    [/^etcd\.(?:endpoints|prefix|cert|key|user)\b/, '--$&'],
    [/^etcd\.ca$/, '--cacert'],
    [/^network\.cidr$/, '--network'],
    [/^network\.subnetLen$/, '--subnet-len'],
    [/^network\.backend/, '--backend'],
    [/^flannel\.version$/, '--flannel'],
    [/^nodes/, '--node'],
  ];
  const found = flags.find(([pattern]) => pattern.test(path));
  if (found === undefined) return path;
  return found[1] === '--$&' ? `--${path.replace(/^etcd\./, '').replace(/\[\d+\]$/, '')}` : found[1];
}
