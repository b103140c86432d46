import { type Address, addressOf, deviceName, macOf } from './address';
import { answerText, whyFailed } from './answer-text';
import { type Fact, known, shellCommand, unknown } from './fact';
import { parseJsonAnswer, textIn, textsIn } from './json-answer';

export interface Neighbour {
  readonly address: Address;
  readonly device: string;
  readonly mac: string | null;
  /** `PERMANENT` for those that flanneld made. */
  readonly state: string;
}

/** The ARP and NDP tables of all devices. */
export const neighbours: Fact<readonly Neighbour[]> = {
  name: 'neighbours',
  command: { ...shellCommand('ip -j neigh show 2>/dev/null || ip neigh show'), maxOutputBytes: 4 * 1024 * 1024 },
  requires: { root: 'none', programs: [['ip']] },
  parse(output) {
    const text = answerText(output.stdout);
    if (output.code !== 0) return whyFailed('ip neigh', output);
    if (text.startsWith('[')) {
      const list = parseJsonAnswer(text);
      if (!Array.isArray(list)) return unknown('ip -j neigh gave no JSON list');
      return known(
        list.flatMap((entry) =>
          neighbourOf(textIn(entry, 'dst'), textIn(entry, 'dev'), textIn(entry, 'lladdr'), textsIn(entry, 'state')[0]),
        ),
      );
    }
    return known(
      text.split('\n').flatMap((line) => {
        const match = /^(\S+) dev (\S+)(?: lladdr (\S+))?.* ([A-Z]+)\s*$/.exec(line);
        return match === null ? [] : neighbourOf(match[1], match[2], match[3], match[4]);
      }),
    );
  },
};

function neighbourOf(
  addressText: string | undefined,
  deviceText: string | undefined,
  mac: string | undefined,
  state: string | undefined,
): readonly Neighbour[] {
  const address = addressOf(addressText);
  const device = deviceName(deviceText);
  if (address === undefined || device === undefined) return [];
  return [
    {
      address,
      device,
      mac: macOf(mac) ?? null,
      state: state !== undefined && /^[A-Z]{1,16}$/.test(state) ? state : 'NONE',
    },
  ];
}
