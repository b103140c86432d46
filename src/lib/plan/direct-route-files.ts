import { formatCidr, type Ipv4Cidr, parseIpv4Cidr } from '../net/cidr';
import { parseIpv4 } from '../net/ipv4';
import { writtenByNetctl } from '../net/written-by-netctl';
import type { NodeFile } from './node-file';

export const directRoutePaths = {
  script: '/usr/local/lib/netctl/direct-routes',
  unit: '/etc/systemd/system/netctl-routes.service',
  sysctl: '/etc/sysctl.d/99-netctl-routes.conf',
  networkd: '/etc/systemd/networkd.conf.d/50-netctl-routes.conf',
} as const;

export const directRouteUnit = 'netctl-routes.service';
/** The comment of our rules in FORWARD. */
export const directRouteComment = 'netctl:routes';

export interface DirectRoute {
  readonly subnet: Ipv4Cidr;
  /** The node that has the subnet, as its peers reach it. */
  readonly via: string;
}

export interface DirectRouteScript {
  readonly routes: readonly DirectRoute[];
  /** The node's own subnets, whose packets FORWARD lets through. */
  readonly accepts: readonly Ipv4Cidr[];
}

const mark = () => writtenByNetctl('#', 'netctl routes sync');

/** Puts the routes and rules there, again and again with the same result, or takes exactly these away. Only sh, ip and iptables are needed. */
export function directRouteScript({ routes, accepts }: DirectRouteScript): string {
  const list = (lines: readonly string[]): string => `'\n${lines.map((line) => `${line}\n`).join('')}'`;
  return `#!/bin/sh
${mark()}#
#   up    these routes and rules are there; what is there already stays
#   down  these routes and rules are gone, and nothing else
set -u

# A subnet, and the node that has it.
routes=${list(routes.map(({ subnet, via }) => `${formatCidr(subnet)} ${via}`))}
# This node's own: packets from and to its containers may pass.
accepts=${list(accepts.map(formatCidr))}

PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
mode=$1 failed=0 tries=30

route() {
	case $mode in
	up)
		# At boot the address of the link may come a moment after this.
		until said=$(ip -4 route replace "$1" via "$2" 2>&1); do
			[ "$tries" -gt 0 ] || {
				echo "$1 via $2: $said" >&2
				failed=1
				return
			}
			tries=$((tries - 1))
			sleep 1
		done
		;;
	down) ip -4 route delete "$1" via "$2" 2>/dev/null ;;
	esac
}

rule() { iptables -w 10 "$1" FORWARD "$2" "$3" -m comment --comment ${directRouteComment} -j ACCEPT; }

accept() {
	for side in -s -d; do
		case $mode in
		up) rule -C "$side" "$1" 2>/dev/null || rule -A "$side" "$1" || failed=1 ;;
		down) while rule -D "$side" "$1" 2>/dev/null; do :; done ;;
		esac
	done
}

while read -r subnet via; do
	[ -z "$subnet" ] || route "$subnet" "$via"
done <<END
$routes
END
for subnet in $accepts; do accept "$subnet"; done
exit $failed
`;
}

/** What an earlier script of ours puts there; nothing for a text that is none. */
export function readDirectRouteScript(text: string): DirectRouteScript {
  const lines = (name: string): readonly (readonly string[])[] =>
    (new RegExp(`^${name}='\n([^']*)'$`, 'm').exec(text)?.[1] ?? '').split('\n').map((line) => line.split(' '));
  const rangeOf = (range: string | undefined): readonly Ipv4Cidr[] => {
    const parsed = range === undefined ? undefined : parseIpv4Cidr(range);
    return parsed === undefined ? [] : [{ base: parsed.base, length: parsed.length }];
  };
  return {
    routes: lines('routes').flatMap(([range, via = '']) =>
      parseIpv4(via) === undefined ? [] : rangeOf(range).map((subnet) => ({ subnet, via })),
    ),
    accepts: lines('accepts').flatMap(([range]) => rangeOf(range)),
  };
}

function file(path: string, mode: number, content: string, why: string): NodeFile {
  return { kind: 'file', path, mode, content, isSecret: false, why };
}

export function directRouteFiles(script: DirectRouteScript): readonly NodeFile[] {
  const { script: path } = directRoutePaths;
  const unit = [
    '[Unit]',
    'Description=Routes to the containers of other nodes',
    'Wants=network-online.target',
    "# Docker's own rules come first in FORWARD either way; after it, ours are the last that it sees.",
    'After=network-online.target docker.service firewalld.service',
    '# firewalld takes foreign rules away when it is reloaded.',
    'ReloadPropagatedFrom=firewalld.service',
    '',
    '[Service]',
    'Type=oneshot',
    'RemainAfterExit=yes',
    `ExecStart=/bin/sh ${path} up`,
    `ExecReload=/bin/sh ${path} up`,
    `ExecStop=/bin/sh ${path} down`,
    'TimeoutStartSec=120',
    '',
    '[Install]',
    'WantedBy=multi-user.target',
  ];
  return [
    file(path, 0o755, directRouteScript(script), 'puts the routes to the other nodes there'),
    file(directRoutePaths.unit, 0o644, `${mark()}${unit.join('\n')}\n`, 'does so at every boot'),
  ];
}

export function forwardingFile(): NodeFile {
  const lines = ['# Packets between containers of two nodes are forwarded by the host.', 'net.ipv4.ip_forward = 1'];
  return file(directRoutePaths.sysctl, 0o644, `${mark()}${lines.join('\n')}\n`, 'the node forwards packets');
}

export function foreignRoutesFile(): NodeFile {
  return file(
    directRoutePaths.networkd,
    0o644,
    `${mark()}[Network]\nManageForeignRoutes=no\n`,
    'networkd removes routes that are not its own whenever it starts; it reads this at its next start',
  );
}
