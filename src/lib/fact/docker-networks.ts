import { type Address, addressOf, countOf, deviceName, type Range, rangeOf } from './address';
import { answerText, isOnlyOfGone, whyFailed } from './answer-text';
import { type Fact, known, shellCommand, unknown } from './fact';
import { entriesOf, fieldOf, flagIn, type Json, listOf, parseJsonAnswer, textIn } from './json-answer';

export interface DockerNetwork {
  readonly name: string;
  readonly id: string;
  readonly driver: string;
  /** IPv4 and IPv6, each with its gateway when Docker names one (the default bridge of 20.10 does not). */
  readonly subnets: readonly { readonly range: Range; readonly gateway: Address | null }[];
  /** The interface on the node; null for a network that is no bridge. */
  readonly device: string | null;
  /** In bytes; null when no option sets it. It is what new containers get. */
  readonly mtu: number | null;
  /** Docker's own MASQUERADE rule; null when no option says so, and then it is on. */
  readonly masquerades: boolean | null;
  readonly isInternal: boolean;
  /** Of the default bridge: its `gateway_mode_ipv4` and the like, as Docker names them. */
  readonly options: ReadonlyMap<string, string>;
  readonly containerCount: number;
}

/** All networks of a running daemon, the default `bridge` among them. */
export const dockerNetworks: Fact<readonly DockerNetwork[]> = {
  name: 'docker-networks',
  command: {
    ...shellCommand(`n=$(docker network ls -q --no-trunc) || exit
[ -z "$n" ] || docker network inspect $n`),
    maxOutputBytes: 4 * 1024 * 1024,
    timeoutMs: 10_000,
  },
  requires: { root: 'all', programs: [['docker']] },
  parse(output) {
    const list = parseJsonAnswer(answerText(output.stdout));
    // A network that went away between the two commands makes the second one fail and still show the others.
    if (output.code === 0 && !Array.isArray(list)) return unknown('docker network inspect gave no list');
    if (!Array.isArray(list) || (output.code !== 0 && (list.length === 0 || !isOnlyOfGone(output))))
      return whyFailed('docker', output);
    return known(list.flatMap((entry) => networkOf(entry) ?? []));
  },
};

const bridgeName = 'com.docker.network.bridge.name';
const masquerade = 'com.docker.network.bridge.enable_ip_masquerade';

function networkOf(entry: Json): DockerNetwork | undefined {
  const name = textIn(entry, 'Name');
  const id = textIn(entry, 'Id');
  const driver = textIn(entry, 'Driver');
  if (name === undefined || name.length > 255 || id === undefined || !/^[0-9a-z]{12,64}$/.test(id)) return undefined;
  const options = new Map(
    entriesOf(fieldOf(entry, 'Options')).flatMap(([key, value]) =>
      typeof value === 'string' ? [[key, value] as const] : [],
    ),
  );
  return {
    name,
    id,
    driver: driver ?? '',
    subnets: listOf(fieldOf(fieldOf(entry, 'IPAM'), 'Config')).flatMap((config) => {
      const text = textIn(config, 'Subnet');
      const range = rangeOf(text, 4) ?? rangeOf(text, 6);
      return range === undefined ? [] : [{ range, gateway: addressOf(textIn(config, 'Gateway')) ?? null }];
    }),
    device: driver === 'bridge' ? (deviceName(options.get(bridgeName)) ?? `br-${id.slice(0, 12)}`) : null,
    mtu: countOf(options.get('com.docker.network.driver.mtu'), 65_535) ?? null,
    masquerades: options.has(masquerade) ? options.get(masquerade) !== 'false' : null,
    isInternal: flagIn(entry, 'Internal') ?? false,
    options,
    containerCount: entriesOf(fieldOf(entry, 'Containers')).length,
  };
}
