import { type Address, addressOf, countOf } from './address';
import { answerText, whyFailed } from './answer-text';
import { type Fact, known, shellCommand } from './fact';

export interface ListeningPort {
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  /** Null for every address of the node. */
  readonly address: Address | null;
  /** Programs that hold it; empty for the kernel's own (a VXLAN device) and when we may not see it. */
  readonly programs: readonly { readonly name: string; readonly pid: number }[];
}

/** TCP ports that are listened on and UDP ports that are bound. */
export const listeningPorts: Fact<readonly ListeningPort[]> = {
  name: 'listening-ports',
  command: {
    ...shellCommand(
      'ss -lntup 2>/dev/null || { cd /proc/net && for f in tcp tcp6 udp udp6; do [ -r $f ] && echo "$f" && cat $f; done; }',
    ),
    maxOutputBytes: 1024 * 1024,
  },
  requires: { root: 'part', programs: [['ss']] },
  parse(output) {
    const lines = answerText(output.stdout).split('\n');
    const first = lines[0] ?? '';
    if (first.startsWith('Netid')) return known(lines.slice(1).flatMap((line) => portOfSs(line) ?? []));
    if (!/^(tcp|udp)6?$/.test(first)) return whyFailed('ss', output);
    const ports: ListeningPort[] = [];
    let protocol: 'tcp' | 'udp' = 'tcp';
    for (const line of lines) {
      const head = /^(tcp|udp)6?$/.exec(line)?.[1];
      if (head === 'tcp' || head === 'udp') protocol = head;
      else {
        const port = portOfProc(line, protocol);
        if (port !== undefined) ports.push(port);
      }
    }
    return known(ports);
  },
};

function portOfSs(line: string): ListeningPort | undefined {
  const match = /^(tcp|udp)\s+(LISTEN|UNCONN)\s+\d+\s+\d+\s+(\S+):(\d{1,5})\s+\S+\s*(users:.*)?$/.exec(line);
  if (match === null) return undefined;
  const [, protocol, , local = '', portText, users = ''] = match;
  const port = countOf(portText, 65_535);
  if (port === undefined) return undefined;
  const text = local.replace(/%[\w.@-]{1,15}$/, '').replace(/^\[(.*)\](?:%\S+)?$/, '$1');
  const programs = Array.from(users.matchAll(/\("([^"]{1,64})",pid=(\d{1,10}),/g), ([, name = '', pid]) => ({
    name,
    pid: Number(pid),
  }));
  return { protocol: protocol === 'tcp' ? 'tcp' : 'udp', port, address: specific(addressOf(text)), programs };
}

/** `0: 0100007F:1F90 00000000:0000 0A …`: words of the address in the byte order of the machine (little-endian wherever flannel runs but s390x). */
function portOfProc(line: string, protocol: 'tcp' | 'udp'): ListeningPort | undefined {
  const match = /^\s*\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) \S+ ([0-9A-F]{2}) /.exec(line);
  if (match === null) return undefined;
  const [, hex = '', port = '', state] = match;
  // 0A is LISTEN; 07 is a UDP socket that is bound and not connected.
  if (state !== (protocol === 'tcp' ? '0A' : '07')) return undefined;
  const words = (hex.match(/.{8}/g) ?? []).map((word) => (word.match(/../g) ?? []).reverse().join(''));
  const text =
    words.length === 1
      ? ((words[0] ?? '').match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16)).join('.')
      : (words.join('').match(/.{4}/g) ?? []).join(':');
  return { protocol, port: Number.parseInt(port, 16), address: specific(addressOf(text)), programs: [] };
}

function specific(address: Address | undefined): Address | null {
  if (address === undefined || address.address === 0 || address.address === 0n) return null;
  return address;
}
