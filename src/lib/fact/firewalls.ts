import { answerText } from './answer-text';
import { type Fact, known, shellCommand } from './fact';

export interface Firewalls {
  /** Null: firewalld does not run. */
  readonly firewalld: {
    /** `trusted` → what belongs to it: interfaces and sources. */
    readonly activeZones: ReadonlyMap<
      string,
      { readonly interfaces: readonly string[]; readonly sources: readonly string[] }
    >;
  } | null;
  /** Null: ufw is not installed. Its own file says whether it is switched on; the program would take a fifth of a second. */
  readonly ufw: {
    readonly isEnabled: boolean | null;
    /** Routed packets are dropped unless a rule allows them, and that is its default. */
    readonly forwardPolicy: string | null;
  } | null;
}

const script = `if systemctl is-active -q firewalld.service 2>/dev/null || [ -e /run/firewalld.pid ] && command -v firewall-cmd >/dev/null; then
echo firewalld
firewall-cmd --get-active-zones 2>/dev/null | sed 's/^/ /'
fi
if [ -e /etc/ufw/ufw.conf ]; then
echo ufw
grep '^ENABLED=' /etc/ufw/ufw.conf
grep '^DEFAULT_FORWARD_POLICY=' /etc/default/ufw
fi 2>/dev/null
:`;

export const firewalls: Fact<Firewalls> = {
  name: 'firewalls',
  command: shellCommand(script),
  requires: { root: 'part', programs: [] },
  parse(output) {
    const lines = answerText(output.stdout).split('\n');
    const zones = new Map<string, { interfaces: readonly string[]; sources: readonly string[] }>();
    let zone = '';
    for (const line of lines) {
      const name = /^ ([\w-]{1,64})(?: \(default\))?$/.exec(line)?.[1];
      if (name !== undefined) {
        zone = name;
        zones.set(zone, { interfaces: [], sources: [] });
      }
      const list = /^ {2,}\t?(interfaces|sources): (.*)$/.exec(line.replaceAll('\t', '  '));
      const found = zones.get(zone);
      if (list !== null && found !== undefined) {
        const words = (list[2] ?? '').split(' ').filter((word) => word !== '');
        zones.set(zone, list[1] === 'interfaces' ? { ...found, interfaces: words } : { ...found, sources: words });
      }
    }
    const value = (name: string): string | undefined =>
      lines
        .find((line) => line.startsWith(`${name}=`))
        ?.slice(name.length + 1)
        .replaceAll(/["']/g, '')
        .trim();
    const enabled = value('ENABLED')?.toLowerCase();
    const policy = value('DEFAULT_FORWARD_POLICY');
    return known({
      firewalld: lines.includes('firewalld') ? { activeZones: zones } : null,
      ufw: lines.includes('ufw')
        ? {
            isEnabled: enabled === undefined ? null : enabled === 'yes',
            forwardPolicy: policy !== undefined && /^[A-Z]{1,16}$/.test(policy) ? policy : null,
          }
        : null,
    });
  },
};
