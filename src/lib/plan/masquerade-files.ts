import { formatCidr, type Ipv4Cidr, parseIpv4Cidr } from '../net/cidr';
import { type ContainerBridge, isPlainDevice, masqueradeComment, overlayChain } from '../net/masquerade-rule';
import { writtenByNetctl } from '../net/written-by-netctl';
import type { NodeFile } from './node-file';

export const masqueradePaths = {
  script: '/usr/local/lib/netctl/masquerade',
  unit: '/etc/systemd/system/netctl-masquerade.service',
} as const;

export const masqueradeUnit = 'netctl-masquerade.service';

/** Beside Docker's unit: every start of Docker, also one after a crash, ends with the rules as they should be. */
export function masqueradeDropIn(dockerService: string): string {
  return `/etc/systemd/system/${dockerService}.service.d/zz-netctl-masquerade.conf`;
}

export interface MasqueradeIntent {
  readonly network: Ipv4Cidr;
  readonly bridges: readonly ContainerBridge[];
  /** flanneld masquerades: nobody else needs to, as long as its rule is there. */
  readonly byFlannel: boolean;
  /** Packets from containers of other nodes need an accept in DOCKER-USER. */
  readonly accepts: boolean;
  /** What `"ip-masq"` in daemon.json was before us; null when we did not touch it. */
  readonly ipMasqBefore: JsonBefore | null;
  /** The same of `"allow-direct-routing"`. */
  readonly directRoutingBefore: JsonBefore | null;
}

/** A setting of daemon.json as it was before us; `unset` when it was not there. */
export type JsonBefore = 'unset' | 'true' | 'false';

const mark = () => writtenByNetctl('#', 'netctl fix-masquerade');

/**
 * Asserts what is intended, again and again with the same result, and never restores a dump. Only sh, ip and iptables are needed;
 * flock where there is one. A rule goes in before another goes out, so that containers always have their way out.
 */
export function masqueradeScript(intent: MasqueradeIntent): string {
  const { network, bridges, byFlannel, accepts, ipMasqBefore, directRoutingBefore } = intent;
  const list = bridges.map(({ device, subnet }) => `${device}=${formatCidr(subnet)}\n`).join('');
  return `#!/bin/sh
${mark()}#
#   assert  once: containers keep their own address within the network, and are masqueraded outside of it
#   watch   the same every few seconds: a flush, iptables-restore or the reload of a firewall may undo it at any time
set -uf

network=${formatCidr(network)}
# Bridges with containers there. Others that Docker masquerades within the network are found by themselves.
bridges='
${list}'
# yes: flanneld masquerades, and nobody else needs to as long as its rule is there.
flannel=${byFlannel ? 'yes' : 'no'}
# yes: packets from containers of other nodes need an accept in DOCKER-USER.
accept=${accepts ? 'yes' : 'no'}
# "ip-masq" and "allow-direct-routing" in daemon.json before netctl wrote them; empty when it did not.
ip_masq_before='${ipMasqBefore ?? ''}'
direct_routing_before='${directRoutingBefore ?? ''}'

PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
comment=${masqueradeComment}
chain=${overlayChain}
folder=/run/netctl
wait=unknown other= changed=0 failed=0

say() { echo "$*" >&2; }

# number 10.1.0.0: as one number, in $number
number() {
	rest=$1 number=0
	while :; do
		number=$((number * 256 + \${rest%%.*}))
		case $rest in *.*) rest=\${rest#*.} ;; *) return ;; esac
	done
}

# mask 16: in $mask
mask() { mask=$((4294967295 << (32 - $1) & 4294967295)); }

# inside 10.1.2.0/24: within the network?
inside() {
	case $1 in
	*[!0-9./]* | *.*.*.*.* | */*/*) return 1 ;;
	[0-9]*.[0-9]*.[0-9]*.[0-9]*/[0-9]*) ;;
	*) return 1 ;;
	esac
	[ "\${1#*/}" -ge "\${network#*/}" ] && [ "\${1#*/}" -le 32 ] || return 1
	mask "\${network#*/}"
	number "\${network%/*}"
	wanted_base=$number
	number "\${1%/*}"
	[ $((number & mask)) -eq "$wanted_base" ]
}

# has 'a b c' b
has() { case " $1 " in *" $2 "*) return 0 ;; *) return 1 ;; esac; }

# Devices with an address in the network as $present: docker0=10.1.2.0/24 …
look_at_links() {
	present=
	links=$(ip -4 -o addr show) || return 1
	while read -r _ device kind address _; do
		[ "$kind" = inet ] && inside "$address" || continue
		mask "\${address#*/}"
		number "\${address%/*}"
		base=$((number & mask))
		present="$present $device=$((base >> 24)).$((base >> 16 & 255)).$((base >> 8 & 255)).$((base & 255))/\${address#*/}"
	done <<END
$links
END
}

# flannel_in iptables: is flanneld's rule for the way out among these?
flannel_in() {
	rules=$("$1" $wait -t nat -S POSTROUTING 2>/dev/null) || return 1
	case $rules in *"-j FLANNEL-POSTRTG"*) rules="$rules
$("$1" $wait -t nat -S FLANNEL-POSTRTG 2>/dev/null)" ;; esac
	while read -r line; do
		case $line in "-A "*" -s $network ! -d 224.0.0.0/4 "*"-j MASQUERADE"*) return 0 ;; esac
	done <<END
$rules
END
	return 1
}

# From v0.25.0 on flanneld may have a table of nftables instead.
flannel_in_nft() { nft list chain ip flannel-ipv4 postrtg 2>/dev/null | grep -q "saddr $network.*masquerade"; }

# Docker's rule for PAIR (device=subnet), ours, and the way of the network's packets into our chain: as words for iptables
docker_rule() { set -- "\${1%%=*}" "\${1#*=}"; words="-s $2 ! -o $1 -j MASQUERADE"; }
own_rule() { set -- "\${1%%=*}" "\${1#*=}"; words="-s $2 ! -d $network ! -o $1 -m comment --comment $comment -j MASQUERADE"; }
jump_rule() { words="-s $network ! -i $1 -o $1 -m comment --comment $comment -j $chain"; }

# insert TABLE CHAIN NUMBER, of $words. Somebody may have shortened the chain since it was read.
insert() {
	"$iptables" $wait -t "$1" -C "$2" $words 2>/dev/null && return
	"$iptables" $wait -t "$1" -I "$2" "$3" $words 2>/dev/null || "$iptables" $wait -t "$1" -I "$2" $words || { failed=1; return 1; }
	changed=$((changed + 1))
	say "$iptables: put in: $2 $words"
}

# delete TABLE CHAIN, of $words, one of them. It may be gone already.
delete() {
	"$iptables" $wait -t "$1" -D "$2" $words 2>/dev/null || {
		"$iptables" $wait -t "$1" -C "$2" $words 2>/dev/null
		[ $? -eq 1 ] || failed=1
		return
	}
	changed=$((changed + 1))
	say "$iptables: taken out: $2 $words"
}

# masquerade IPTABLES PAIRS MORE: the pairs are to be there in any case, more only in place of Docker's rule
masquerade() {
	iptables=$1 wanted=$2 kept="$2 $3"
	at=0 gone=0 dockers= seen= ours= surplus=
	rules=$("$iptables" $wait -t nat -S POSTROUTING) || { failed=1; return; }
	while read -r line; do
		case $line in "-A POSTROUTING "*) at=$((at + 1)) ;; *) continue ;; esac
		set -- $line
		[ $# -ne 9 ] || {
			docker_rule "$7=$4"
			[ "$line" = "-A POSTROUTING $words" ] && inside "$4" || continue
			dockers="$dockers $7=$4@$at"
			kept="$kept $7=$4"
			has "$seen" "$7=$4" || seen="$seen $7=$4"
		}
		[ $# -eq 16 ] && [ "$3 $5$6 $8$9 \${11}" = '-s !-d !-o -m' ] || continue
		case \${14} in "$comment" | '"'"$comment"'"') ;; *) continue ;; esac
		pair=\${10}=$4
		if [ "$7" = "$network" ] && ! has "$ours" "$pair"; then ours="$ours $pair"
		else
			surplus="$surplus-s $4 ! -d $7 ! -o \${10} -m comment --comment $comment -j MASQUERADE
"
		fi
	done <<END
$rules
END
	for docker in $dockers; do
		pair=\${docker%@*}
		# At the place of Docker's, so that what others have put before it stays before it.
		[ $is_flannel = yes ] || has "$ours" "$pair" || {
			own_rule "$pair"
			insert nat POSTROUTING $((\${docker##*@} - gone)) || continue
			ours="$ours $pair" gone=$((gone - 1))
		}
		docker_rule "$pair"
		delete nat POSTROUTING
		gone=$((gone + 1))
	done
	for pair in $wanted; do
		[ $is_flannel = no ] || continue
		has "$ours" "$pair" || {
			own_rule "$pair"
			insert nat POSTROUTING 1 && ours="$ours $pair"
		}
	done
	for pair in $ours; do
		[ $is_flannel = no ] && has "$kept" "$pair" && continue
		own_rule "$pair"
		delete nat POSTROUTING
	done
	while read -r words; do
		[ -z "$words" ] || delete nat POSTROUTING
	done <<END
$surplus
END
}

# Bridges of this machine with an address in the network: what comes from them is none of our business. In $locals, after DEVICES
local_bridges() {
	locals="$*"
	links=$(ip -4 -o addr show type bridge 2>/dev/null) || links=
	while read -r _ device kind address _; do
		[ "$kind" = inet ] && inside "$address" && ! has "$locals" "$device" && locals="$locals $device"
	done <<END
$links
END
}

# Our chain as it should be. The new rules come in before the old ones, which count until the last of the new is there.
fill() {
	rules=$("$iptables" $wait -t filter -S "$chain" 2>/dev/null) || "$iptables" $wait -t filter -N "$chain" || return 1
	filled="-N $chain" number=0
	for device in $locals; do
		filled="$filled
-A $chain -i $device -j RETURN"
	done
	[ "$rules" != "$filled
-A $chain -j ACCEPT" ] || return 0
	for device in $locals; do
		number=$((number + 1))
		"$iptables" $wait -t filter -I "$chain" $number -i "$device" -j RETURN || return 1
	done
	number=$((number + 1))
	"$iptables" $wait -t filter -I "$chain" $number -j ACCEPT || return 1
	while "$iptables" $wait -t filter -D "$chain" $((number + 1)) 2>/dev/null; do :; done
	changed=$((changed + 1))
	say "$iptables: filled: $chain, which lets packets in that do not come from \${locals# }"
}

# let_in IPTABLES PAIRS
let_in() {
	iptables=$1
	rules=$("$iptables" $wait -t filter -S DOCKER-USER 2>/dev/null) || return
	devices=
	[ $accept = no ] || for pair in $2; do devices="$devices \${pair%%=*}"; done
	if [ -n "$devices" ]; then
		local_bridges $devices
		user=$rules
		fill || { failed=1; return; }
		rules=$user
		for device in $devices; do
			jump_rule "$device"
			insert filter DOCKER-USER 1
		done
	fi
	while read -r line; do
		case $line in "-A DOCKER-USER -s "*" ! -i "*"--comment "*"$comment"*" -j "*) set -- $line ;; *) continue ;; esac
		[ $# -eq 15 ] || continue
		[ "$4 \${15}" = "$network $chain" ] && has "$devices" "$7" && continue
		words="-s $4 ! -i $7 -o $9 -m comment --comment $comment -j \${15}"
		delete filter DOCKER-USER
	done <<END
$rules
END
	[ -z "$devices" ] && "$iptables" $wait -t filter -S "$chain" >/dev/null 2>&1 || return 0
	"$iptables" $wait -t filter -F "$chain" && "$iptables" $wait -t filter -X "$chain" || { failed=1; return; }
	changed=$((changed + 1))
}

# iptables locks one command, not several: two of us would both put a rule in.
assert() {
	mkdir -p "$folder" || return 1
	exec 9>"$folder/masquerade.lock"
	if ! command -v flock >/dev/null || flock -w 20 9; then
		assert_alone
		result=$?
	else
		say 'another run has been at it for 20 seconds'
		result=1
	fi
	exec 9>&-
	return $result
}

assert_alone() {
	failed=0
	# Before 1.6.0 -w takes no number, before 1.4.20 there is none.
	if [ "$wait" = unknown ]; then
		for wait in '-w 10' -w ''; do ! iptables $wait --version >/dev/null 2>&1 || break; done
	fi
	other=
	case $(iptables --version) in
	*nf_tables*)
		# The program would load the tables by the mere question.
		! grep -qx nat /proc/net/ip_tables_names 2>/dev/null || ! command -v iptables-legacy >/dev/null || other=iptables-legacy
		;;
	*)
		! grep -q '^nf_tables ' /proc/modules 2>/dev/null || ! command -v iptables-nft >/dev/null || other=iptables-nft
		;;
	esac
	look_at_links || return 1
	is_flannel=no
	if [ $flannel = yes ]; then
		if flannel_in iptables || { [ -n "$other" ] && flannel_in "$other"; } || flannel_in_nft; then is_flannel=yes; fi
	fi
	known=
	[ ! -r "$folder/masquerade.bridges" ] || read -r known <"$folder/masquerade.bridges" || :
	pairs=
	for pair in $bridges $known; do
		has "$present" "$pair" && ! has "$pairs" "$pair" && pairs="$pairs $pair"
	done
	masquerade iptables "$pairs" ''
	all=$pairs
	for pair in $seen; do has "$all" "$pair" || all="$all $pair"; done
	[ -z "$other" ] || masquerade "$other" '' "$all"
	let_in iptables "$all"
	[ "\${all# }" = "$known" ] || echo "\${all# }" >"$folder/masquerade.bridges"
	return $failed
}

# The chains that count, as they are now.
look() {
	iptables $wait -t nat -S POSTROUTING
	[ $flannel = no ] || { iptables $wait -t nat -S FLANNEL-POSTRTG; ! flannel_in_nft || echo nft; }
	[ $accept = no ] || {
		iptables $wait -t filter -S DOCKER-USER
		iptables $wait -t filter -S "$chain"
		local_bridges
		echo "$locals"
	}
	[ -z "$other" ] || "$other" $wait -t nat -S POSTROUTING
} 2>&1

# Hundredths of a second since the start of the machine, in $hundredths
hundredths() {
	read -r up _ </proc/uptime
	hundredths=$((\${up%.*} * 100 + 1\${up#*.} - 100))
}

case \${1-} in
assert) assert ;;
watch)
	repairs=0 quiet=0 looks=0 slow=0 sleeping=
	# What is being done ends first, and nothing is left behind that a stop would have to wait for.
	trap 'kill $sleeping 2>/dev/null; wait; exit 0' TERM INT
	assert || say 'the rules are not as they should be'
	right=$(look)
	while :; do
		# A long table takes the kernel long to show: a small part of the time goes into looking.
		sleep $((2 + slow)) &
		sleeping=$!
		wait $sleeping
		looks=$((looks + 1))
		hundredths
		began=$hundredths
		now=$(look)
		hundredths
		[ $repairs -ge 10 ] || slow=$(((hundredths - began) / 10))
		[ $slow -le 8 ] || [ $repairs -ge 10 ] || slow=8
		# Addresses of bridges change too, seldom.
		[ "$now" != "$right" ] || [ $looks -ge 30 ] || continue
		looks=0 changed=0
		assert || say 'the rules are not as they should be'
		right=$(look)
		if [ $changed -eq 0 ]; then
			quiet=$((quiet + 1))
			[ $quiet -lt 3 ] || repairs=0
			continue
		fi
		quiet=0 repairs=$((repairs + 1))
		[ $repairs -lt 10 ] || slow=60
		[ $repairs -ne 10 ] || say 'put back 10 times: somebody else cares for these rules too. Looked at once a minute from now on.'
	done
	;;
*)
	say "usage: $0 assert | watch"
	exit 2
	;;
esac
`;
}

const jsonBefores: readonly JsonBefore[] = ['unset', 'true', 'false'];

/** What an earlier script of ours intends; undefined for a text that is none. */
export function readMasqueradeScript(text: string): MasqueradeIntent | undefined {
  const value = (name: string): string | undefined => new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1];
  const network = parseIpv4Cidr(value('network') ?? '');
  if (network === undefined || network.hostBits) return undefined;
  const before = (name: string): JsonBefore | null => {
    const text = value(name);
    return jsonBefores.find((each) => text === `'${each}'`) ?? null;
  };
  return {
    network: { base: network.base, length: network.length },
    bridges: (/^bridges='\n([^']*)'$/m.exec(text)?.[1] ?? '').split('\n').flatMap((line) => {
      const [device = '', range = ''] = line.split('=');
      const subnet = parseIpv4Cidr(range);
      return subnet === undefined || !isPlainDevice(device)
        ? []
        : [{ device, subnet: { base: subnet.base, length: subnet.length } }];
    }),
    byFlannel: value('flannel') === 'yes',
    accepts: value('accept') === 'yes',
    ipMasqBefore: before('ip_masq_before'),
    directRoutingBefore: before('direct_routing_before'),
  };
}

/** The script, what runs it for good, and what runs it at every start of Docker. */
export function masqueradeFiles(intent: MasqueradeIntent, dockerService: string): readonly NodeFile[] {
  const { script } = masqueradePaths;
  const unit = [
    '[Unit]',
    "Description=Keeps containers' own addresses within the network",
    "# Whoever writes rules at boot comes first; a reload of firewalld takes foreign rules away, Docker's and ours.",
    `After=${dockerService}.service firewalld.service iptables.service netfilter-persistent.service nftables.service`,
    'ReloadPropagatedFrom=firewalld.service',
    '# Somebody may try things out: it is never started too often.',
    'StartLimitIntervalSec=0',
    '',
    '[Service]',
    `ExecStart=/bin/sh ${script} watch`,
    `ExecReload=/bin/sh ${script} assert`,
    'KillMode=mixed',
    'Restart=always',
    'RestartSec=5',
    '',
    '[Install]',
    'WantedBy=multi-user.target',
  ];
  const dropIn = [
    '[Service]',
    '# At every start Docker puts its own rule in again. Whatever becomes of this, Docker has started.',
    `ExecStartPost=-/usr/bin/timeout 60 /bin/sh ${script} assert`,
  ];
  return [
    file(script, 0o755, masqueradeScript(intent), 'puts the rules right, and keeps them so'),
    file(masqueradePaths.unit, 0o644, `${mark()}${unit.join('\n')}\n`, 'does so for good, from every boot on'),
    file(masqueradeDropIn(dockerService), 0o644, `${mark()}${dropIn.join('\n')}\n`, 'does so at every start of Docker'),
  ];
}

function file(path: string, mode: number, content: string, why: string): NodeFile {
  return { kind: 'file', path, mode, content, isSecret: false, why };
}
