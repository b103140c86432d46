import { answerLines } from './answer-text';
import { type Fact, known, shellCommand, unknown } from './fact';

/**
 * `loaded`: at work now, as a module or as part of the kernel. `loadable`: modprobe would find it. `absent`: neither.
 * `unclear`: nothing on the node tells (a container without the host's modules, a kernel without its config).
 */
export type ModuleState = 'loaded' | 'loadable' | 'absent' | 'unclear';

export interface KernelModules {
  readonly states: ReadonlyMap<string, ModuleState>;
  /** False after a kernel was upgraded and the machine not booted since: nothing can be loaded then. */
  readonly hasModulesFolder: boolean;
}

/** The kernel's own option for each module; it answers where there are no modules at all. */
const options: Readonly<Record<string, string>> = {
  vxlan: 'CONFIG_VXLAN',
  br_netfilter: 'CONFIG_BRIDGE_NETFILTER',
  overlay: 'CONFIG_OVERLAY_FS',
  tun: 'CONFIG_TUN',
  wireguard: 'CONFIG_WIREGUARD',
  ipip: 'CONFIG_NET_IPIP',
  veth: 'CONFIG_VETH',
  bridge: 'CONFIG_BRIDGE',
  nf_nat: 'CONFIG_NF_NAT',
  xt_MASQUERADE: 'CONFIG_NETFILTER_XT_TARGET_MASQUERADE',
  xt_comment: 'CONFIG_NETFILTER_XT_MATCH_COMMENT',
  nf_tables: 'CONFIG_NF_TABLES',
  ip_tables: 'CONFIG_IP_NF_IPTABLES(_LEGACY)?',
};

/** `modprobe -n` only says what it would do. /proc/config.gz is read once, and only where modprobe has no answer. */
const script = `r=$(uname -r)
[ -d "/lib/modules/$r" ] && echo folder
c=
for p; do
m=\${p%%=*} o=\${p#*=}
if [ -d "/sys/module/$m" ] || grep -q "^$m " /proc/modules 2>/dev/null; then echo "$m loaded"
elif d=$(modprobe -n -v "$m" 2>/dev/null); then
case $d in
*insmod*) echo "$m loadable" ;;
*) echo "$m loaded" ;;
esac
else
[ -n "$c" ] || c=$(zcat /proc/config.gz 2>/dev/null || cat "/boot/config-$r" "/lib/modules/$r/config" 2>/dev/null)
[ -n "$c" ] || c=none
case $(printf '%s\\n' "$c" | grep -E "^$o=|^# $o is not set") in
*=y) echo "$m loaded" ;;
*=m) if [ -e "/lib/modules/$r/modules.dep" ]; then echo "$m absent"; else echo "$m unclear"; fi ;;
\\#*) echo "$m absent" ;;
*) if [ "$c" = none ] && [ ! -s "/lib/modules/$r/modules.dep" ]; then echo "$m unclear"; else echo "$m absent"; fi ;;
esac
fi
done`;

/** @param names modules of `options`; others are not asked */
export function kernelModules(names: readonly string[] = Object.keys(options)): Fact<KernelModules> {
  const asked = names.filter((name) => Object.hasOwn(options, name));
  return {
    name: 'kernel-modules',
    command: shellCommand(script, ...asked.map((name) => `${name}=${options[name] ?? ''}`)),
    requires: { root: 'none', programs: [['modprobe']] },
    parse(output) {
      const states = new Map<string, ModuleState>();
      for (const line of answerLines(output.stdout)) {
        const [name = '', state] = line.split(' ');
        if (!asked.includes(name)) continue;
        if (state === 'loaded' || state === 'loadable' || state === 'absent' || state === 'unclear')
          states.set(name, state);
      }
      if (states.size !== asked.length) return unknown('the node did not tell of every module');
      return known({ states, hasModulesFolder: answerLines(output.stdout)[0] === 'folder' });
    },
  };
}
