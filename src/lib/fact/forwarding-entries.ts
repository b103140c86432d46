import { type Address, addressOf, deviceName, macOf } from './address';
import { answerText, whyFailed } from './answer-text';
import { type Fact, known, shellCommand, unknown } from './fact';
import { parseJsonAnswer, textIn, textsIn } from './json-answer';

/** One entry of a bridge's or a VXLAN device's forwarding database (FDB). */
export interface ForwardingEntry {
  readonly mac: string;
  readonly device: string;
  /** Where a VXLAN device sends frames for the MAC; null for a bridge's entry. */
  readonly destination: Address | null;
  readonly isPermanent: boolean;
  /** Of the device itself, as flanneld makes them, and not of the bridge above it. */
  readonly isSelf: boolean;
}

export const forwardingEntries: Fact<readonly ForwardingEntry[]> = {
  name: 'forwarding-entries',
  command: { ...shellCommand('bridge -j fdb show 2>/dev/null || bridge fdb show'), maxOutputBytes: 4 * 1024 * 1024 },
  requires: { root: 'none', programs: [['bridge']] },
  parse(output) {
    const text = answerText(output.stdout);
    if (output.code !== 0) return whyFailed('bridge fdb', output);
    if (text.startsWith('[')) {
      const list = parseJsonAnswer(text);
      if (!Array.isArray(list)) return unknown('bridge -j fdb gave no JSON list');
      return known(
        list.flatMap((entry) =>
          entryOf(
            textIn(entry, 'mac'),
            textIn(entry, 'ifname'),
            textIn(entry, 'dst'),
            textIn(entry, 'state') === 'permanent',
            textsIn(entry, 'flags').includes('self'),
          ),
        ),
      );
    }
    return known(
      text.split('\n').flatMap((line) => {
        const words = line.trim().split(/\s+/);
        const dst = words.indexOf('dst');
        return entryOf(
          words[0],
          words[1] === 'dev' ? words[2] : undefined,
          dst < 0 ? undefined : words[dst + 1],
          words.includes('permanent'),
          words.includes('self'),
        );
      }),
    );
  },
};

function entryOf(
  macText: string | undefined,
  deviceText: string | undefined,
  destination: string | undefined,
  isPermanent: boolean,
  isSelf: boolean,
): readonly ForwardingEntry[] {
  const mac = macOf(macText);
  const device = deviceName(deviceText);
  if (mac === undefined || device === undefined) return [];
  return [{ mac, device, destination: addressOf(destination) ?? null, isPermanent, isSelf }];
}
