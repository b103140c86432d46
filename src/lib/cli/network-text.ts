import { reviewConfig } from '../check/network-config';
import { InvalidInput } from '../errors';
import { networkWishOf } from '../inventory/network-wish';
import { backendOf } from '../net/backend';
import { canonicalConfig, type NetworkWish } from '../net/network-config';
import { wishOfConfig } from '../net/wish-of-config';
import { notAccepted } from './config-not-accepted';
import { readInput } from './read-input';
import type { Session } from './session';

export interface NetworkFlags {
  readonly 'subnet-len'?: number | undefined;
  readonly 'subnet-min'?: string | undefined;
  readonly 'subnet-max'?: string | undefined;
  readonly backend?: string | undefined;
  readonly 'backend-option'?: readonly string[] | undefined;
  readonly 'ipv6-network'?: string | undefined;
  readonly 'ipv6-subnet-len'?: number | undefined;
  readonly 'ipv6-subnet-min'?: string | undefined;
  readonly 'ipv6-subnet-max'?: string | undefined;
  readonly nftables: boolean;
  readonly file?: string | undefined;
  readonly force: boolean;
}

/** Works across routers and in clouds, where host-gw does not; flanneld's own default, udp, is slow and for debugging only. */
const defaultBackend = 'vxlan';

/** Flags that say something about the network itself, so that they cannot stand beside `--file`. */
const networkFlags = [
  'subnet-len',
  'subnet-min',
  'subnet-max',
  'backend',
  'backend-option',
  'ipv6-network',
  'ipv6-subnet-len',
  'ipv6-subnet-min',
  'ipv6-subnet-max',
] as const;

/** The config text that a person asked for, in flannel's exact case, from the words, the file or the inventory. */
export async function networkText(network: string | undefined, flags: NetworkFlags, session: Session): Promise<string> {
  const given: string[] = networkFlags.filter((name) => flags[name] !== undefined).map((name) => `--${name}`);
  if (network !== undefined) given.unshift('NETWORK');
  if (flags.nftables) given.push('--nftables');
  if (flags.file !== undefined) {
    if (given.length > 0) {
      throw new InvalidInput({
        code: 'file-and-flags',
        message: `--file says what the network is, and so does ${given.join(', ')}; only one of them can`,
        next: ['Change the file, or leave it out.'],
      });
    }
    return textOfFile(flags.file, flags.force, session);
  }
  const base = session.inventory === undefined ? undefined : networkWishOf(session.inventory);
  // A network in words is the whole wish: half of it from a file that happens to lie there would surprise.
  if (network === undefined && flags['ipv6-network'] === undefined) {
    if (base === undefined || given.length > 0) throw noNetwork(given);
    return canonicalConfig(base);
  }
  return canonicalConfig(wishOfFlags(network, flags));
}

async function textOfFile(file: string, force: boolean, session: Session): Promise<string> {
  const text = await readInput(file);
  const review = reviewConfig(text, session.version, { avoid: [] });
  const wish = wishOfConfig(text, session.version);
  if (wish === null) throw notAccepted(review);
  const misspelt = review.problems.filter(({ code }) => code === 'misspelt-key');
  if (misspelt.length > 0 && !force) {
    throw new InvalidInput({
      code: 'misspelt-key',
      message: `${file === '-' ? 'standard input' : file} has a key that flanneld would ignore without a word`,
      details: misspelt.map(({ message }) => message),
      next: misspelt.flatMap(({ suggestion }) => (suggestion === null ? [] : [`Write it as ${suggestion}`])),
    });
  }
  return canonicalConfig(wish);
}

function wishOfFlags(network: string | undefined, flags: NetworkFlags): NetworkWish {
  const type = flags.backend ?? defaultBackend;
  const take = <Name extends string, Value>(name: Name, value: Value | undefined) =>
    value === undefined ? {} : ({ [name]: value } as { readonly [N in Name]: Value });
  return {
    ...take('network', network),
    ...take('subnetLen', flags['subnet-len']),
    ...take('subnetMin', flags['subnet-min']),
    ...take('subnetMax', flags['subnet-max']),
    ...take('ipv6Network', flags['ipv6-network']),
    ...take('ipv6SubnetLen', flags['ipv6-subnet-len']),
    ...take('ipv6SubnetMin', flags['ipv6-subnet-min']),
    ...take('ipv6SubnetMax', flags['ipv6-subnet-max']),
    ...(network === undefined ? { enableIPv4: false } : {}),
    ...(flags.nftables ? { enableNFTables: true } : {}),
    backend: { type, options: optionsOf(type, flags['backend-option'] ?? []) },
  };
}

function optionsOf(type: string, words: readonly string[]): Readonly<Record<string, string>> {
  const options: Record<string, string> = {};
  for (const word of words) {
    const equals = word.indexOf('=');
    if (equals <= 0) {
      throw new InvalidInput({
        code: 'bad-backend-option',
        message: `--backend-option ${JSON.stringify(word)} is not KEY=VALUE`,
        next: ['--backend-option DirectRouting=true'],
      });
    }
    const name = word.slice(0, equals);
    const secret = backendOf(type)?.options.find((option) => option.name.toLowerCase() === name.toLowerCase())?.secret;
    if (secret === true) {
      throw new InvalidInput({
        code: 'secret-on-argv',
        message: `--backend-option ${name} is a secret, and everybody on this machine can read a command line`,
        next: [
          'Put the config into a file that only you can read: netctl init-network --file FILE',
          'Or pipe it in: --file -',
        ],
      });
    }
    if (Object.hasOwn(options, name)) {
      throw new InvalidInput({
        code: 'bad-backend-option',
        message: `--backend-option ${name} is given twice`,
        next: [`--backend-option ${word}`],
      });
    }
    options[name] = word.slice(equals + 1);
  }
  return options;
}

function noNetwork(given: readonly string[]): InvalidInput {
  return new InvalidInput({
    code: 'no-network-given',
    message:
      given.length > 0
        ? `${given.join(', ')} ${given.length === 1 ? 'says' : 'say'} something about a network, but NETWORK itself is missing`
        : 'which network? There is no NETWORK, no --file, and no inventory with a network and a backend',
    next: [
      'netctl init-network 10.1.0.0/16 --backend vxlan',
      'Not sure about the size: netctl network plan --nodes N --containers M',
    ],
  });
}
