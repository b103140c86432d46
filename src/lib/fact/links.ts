import { type Address, addressOf, countOf, deviceName, macOf } from './address';
import { answerText, whyFailed } from './answer-text';
import { type Fact, known, shellCommand, unknown } from './fact';
import { countIn, fieldOf, flagIn, type Json, listOf, parseJsonAnswer, textIn, textsIn } from './json-answer';

export type LinkAddress = Address & {
  readonly length: number;
  readonly scope: string | null;
  /** The far end of a point-to-point link. */
  readonly peer: Address | null;
  readonly isDynamic: boolean;
};

export interface Vxlan {
  readonly vni: number;
  readonly local: Address | null;
  /** The device that carries the tunnel. */
  readonly device: string | null;
  readonly port: number | null;
  readonly isLearning: boolean | null;
}

export interface Link {
  readonly index: number;
  readonly name: string;
  readonly mtu: number;
  /** Switched on by the administrator. */
  readonly isUp: boolean;
  readonly hasCarrier: boolean;
  readonly isLoopback: boolean;
  readonly mac: string | null;
  /** `veth`, `bridge`, `vxlan`, `tun`, …; null for hardware and where `ip` does not say. */
  readonly kind: string | null;
  /** The bridge that it is a port of. */
  readonly master: string | null;
  readonly vxlan: Vxlan | null;
  readonly addresses: readonly LinkAddress[];
}

/** Every interface with its MTU, MAC, kind and addresses. */
export const links: Fact<readonly Link[]> = {
  name: 'links',
  // iproute2 before 4.13 (CentOS 7, Debian 9) knows no -j.
  command: { ...shellCommand('ip -j -d addr 2>/dev/null || ip -d addr'), maxOutputBytes: 2 * 1024 * 1024 },
  requires: { root: 'none', programs: [['ip']] },
  parse(output) {
    const text = answerText(output.stdout);
    if (output.code !== 0) return whyFailed('ip addr', output);
    if (!text.startsWith('[')) return known(linksOfText(text));
    const list = parseJsonAnswer(text);
    if (!Array.isArray(list)) return unknown('ip -j addr gave no JSON list');
    return known(list.flatMap((entry) => linkOfJson(entry) ?? []));
  },
};

function linkOfJson(entry: Json): Link | undefined {
  const name = deviceName(textIn(entry, 'ifname'));
  const index = countIn(entry, 'ifindex');
  const mtu = countIn(entry, 'mtu');
  if (name === undefined || index === undefined || mtu === undefined) return undefined;
  const flags = textsIn(entry, 'flags');
  const info = fieldOf(entry, 'linkinfo');
  const kind = wordOf(textIn(info, 'info_kind'));
  const data = fieldOf(info, 'info_data');
  const vni = countIn(data, 'id');
  return {
    index,
    name,
    mtu,
    isUp: flags.includes('UP'),
    hasCarrier: flags.includes('LOWER_UP'),
    isLoopback: flags.includes('LOOPBACK'),
    mac: macOf(textIn(entry, 'address')) ?? null,
    kind: kind ?? null,
    master: deviceName(textIn(entry, 'master')) ?? null,
    vxlan:
      kind === 'vxlan' && vni !== undefined
        ? {
            vni,
            local: addressOf(textIn(data, 'local') ?? textIn(data, 'local6')) ?? null,
            device: deviceName(textIn(data, 'link')) ?? null,
            port: countIn(data, 'port') ?? null,
            isLearning: flagIn(data, 'learning') ?? null,
          }
        : null,
    addresses: listOf(fieldOf(entry, 'addr_info')).flatMap((item) => {
      const address = addressOf(textIn(item, 'local'));
      const length = countIn(item, 'prefixlen');
      if (address === undefined || length === undefined || length > (address.family === 4 ? 32 : 128)) return [];
      return [
        {
          ...address,
          length,
          scope: wordOf(textIn(item, 'scope')) ?? null,
          peer: addressOf(textIn(item, 'address')) ?? null,
          isDynamic: flagIn(item, 'dynamic') ?? false,
        },
      ];
    }),
  };
}

/** As `ip -d addr` prints it for people. */
function linksOfText(text: string): readonly Link[] {
  const found: { link: Link; addresses: LinkAddress[] }[] = [];
  for (const line of text.split('\n')) {
    const head = /^(\d{1,9}): ([^\s:@]+)(?:@\S+)?: <([A-Z0-9,_-]*)> (.*)$/.exec(line);
    const last = found.at(-1);
    if (head !== null) {
      const words = (head[4] ?? '').split(' ');
      const name = deviceName(head[2]);
      const mtu = countOf(after(words, 'mtu'));
      const flags = (head[3] ?? '').split(',');
      if (name === undefined || mtu === undefined) continue;
      const addresses: LinkAddress[] = [];
      const link: Link = {
        index: Number(head[1]),
        name,
        mtu,
        isUp: flags.includes('UP'),
        hasCarrier: flags.includes('LOWER_UP'),
        isLoopback: flags.includes('LOOPBACK'),
        mac: null,
        kind: null,
        master: deviceName(after(words, 'master')) ?? null,
        vxlan: null,
        addresses,
      };
      found.push({ link, addresses });
      continue;
    }
    if (last === undefined) continue;
    const words = line.trim().split(/\s+/);
    const [first = '', second] = words;
    if (first.startsWith('link/')) last.link = { ...last.link, mac: macOf(second) ?? null };
    else if (first === 'inet' || first === 'inet6') {
      const address = addressOfText(words);
      if (address !== undefined) last.addresses.push(address);
    } else if (last.link.kind === null && /^(vxlan|bridge|veth|tun|bond|vlan|ipip|wireguard|dummy)$/.test(first)) {
      last.link = { ...last.link, kind: first, vxlan: first === 'vxlan' ? vxlanOfText(words) : null };
    }
  }
  return found.map(({ link, addresses }) => ({ ...link, addresses }));
}

function addressOfText(words: readonly string[]): LinkAddress | undefined {
  const peerText = after(words, 'peer');
  // `inet 10.8.0.2 peer 10.8.0.1/32`: the length stands behind the far end.
  const [local, ownLength] = (words[1] ?? '').split('/');
  const [peer, peerLength] = (peerText ?? '').split('/');
  const address = addressOf(local);
  const length = countOf(ownLength ?? peerLength, address?.family === 4 ? 32 : 128);
  if (address === undefined || length === undefined) return undefined;
  return {
    ...address,
    length,
    scope: wordOf(after(words, 'scope')) ?? null,
    peer: addressOf(peer) ?? null,
    isDynamic: words.includes('dynamic'),
  };
}

function vxlanOfText(words: readonly string[]): Vxlan | null {
  const vni = countOf(after(words, 'id'), 2 ** 24 - 1);
  if (vni === undefined) return null;
  return {
    vni,
    local: addressOf(after(words, 'local')) ?? null,
    device: deviceName(after(words, 'dev')) ?? null,
    port: countOf(after(words, 'dstport'), 65_535) ?? null,
    isLearning: !words.includes('nolearning'),
  };
}

function after(words: readonly string[], word: string): string | undefined {
  const at = words.indexOf(word);
  return at < 0 ? undefined : words[at + 1];
}

function wordOf(text: string | undefined): string | undefined {
  return text !== undefined && /^[\w.-]{1,32}$/.test(text) ? text : undefined;
}
