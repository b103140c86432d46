/**
 * The script that netctl leaves on a node so that Docker follows flannel without netctl: after a reboot, and after flannel
 * got another subnet.
 *
 * It runs in front of every start of dockerd. It never keeps Docker from starting: a wrong bridge is one fault, no Docker
 * at all is a greater one. In daemon.json it replaces values of keys that stand there and adds none, so that a key which
 * somebody has moved to a flag does not come back and stop dockerd. Only sh, sed and awk are needed (dash, busybox, bash).
 */
export const dockerFromSubnetEnvScript = String.raw`#!/bin/sh
# Written by netctl; "netctl node reset" takes it away.
#
#   json SUBNET_ENV SECONDS DAEMON_JSON KEY...          brings these keys of daemon.json up to date
#   options SUBNET_ENV SECONDS FILE KEPT VARIABLE KEY... writes dockerd's flags into FILE, as mk-docker-opts.sh -c would
#   follow SUBNET_ENV                                    restarts Docker when docker0 is not on flannel's subnet
#
# Docker starts whatever happens here; look for "docker-from-subnet-env" in the journal of docker.service.
set -u
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
umask 022

say() { echo "docker-from-subnet-env: $*" >&2; }

# A value of subnet.env that matches a pattern. The file is not sourced: nothing in it is run.
value() {
	sed -n "s/^[[:blank:]]*\(export[[:blank:]][[:blank:]]*\)\{0,1\}$1=[\"']\{0,1\}\($2\)[\"']\{0,1\}[[:blank:]]*\(#.*\)\{0,1\}\$/\2/p" "$subnet_env" 2>/dev/null | tail -n 1
}

# Is there a file of this boot? /run is empty after one; a file on a disk may tell of the subnet before.
is_fresh() {
	[ -s "$subnet_env" ] || return 1
	case $subnet_env in /run/* | /var/run/*) return 0 ;; esac
	written=$(stat -c %Y "$subnet_env" 2>/dev/null) || return 0
	booted=$(sed -n 's/^btime //p' /proc/stat 2>/dev/null)
	[ "$written" -ge "${'$'}{booted:-0}" ]
}

read_subnet_env() {
	waited=0
	until is_fresh; do
		[ "$waited" -lt "$1" ] || break
		[ "$waited" -gt 0 ] || say "waiting up to $1 s for $subnet_env"
		sleep 1
		waited=$((waited + 1))
	done
	bip=$(value FLANNEL_SUBNET '[0-9]\{1,3\}\.[0-9]\{1,3\}\.[0-9]\{1,3\}\.[0-9]\{1,3\}\/[0-9]\{1,2\}')
	mtu=$(value FLANNEL_MTU '[1-9][0-9]\{1,4\}')
	case $(value FLANNEL_IPMASQ '[a-z]*') in
	# Exactly one of flannel and Docker masquerades.
	true) masq=false ;;
	false) masq=true ;;
	*) masq= ;;
	esac
	[ -n "$bip" ]
}

# Where a symbolic link leads to, so that it stays one; another path itself.
through() {
	if [ -L "$1" ]; then readlink -f "$1"; else echo "$1"; fi
}

# Puts a finished file in the place of another, with the mode and owner that it has.
put() {
	chcon --reference="$2" "$1" 2>/dev/null || :
	sync "$1" 2>/dev/null || :
	mv -f "$1" "$2"
}

edit_json() {
	# The x keeps a missing line end at the end of the file missing.
	{
		cat "$1"
		printf x
	} | awk -v bip="$bip" -v mtu="$mtu" -v masq="$masq" -v keys=" $2 " '
		function wish(name, text) {
			if (text != "" && index(keys, " " name " ")) { wanted["\"" name "\""] = text; names[name] = 1 }
		}
		function fail(why) { print "docker-from-subnet-env: " why > "/dev/stderr"; failed = 1; exit 1 }
		BEGIN { wish("bip", "\"" bip "\""); wish("mtu", mtu); wish("ip-masq", masq); depth = 0; isvalue = 0; key = "" }
		{
			if (NR > 1) print last
			out = ""; size = length($0); at = 1
			while (at <= size) {
				c = substr($0, at, 1); token = c
				if (c == "\"") {
					end = at + 1
					while (end <= size && (d = substr($0, end, 1)) != "\"") end += (d == "\\") ? 2 : 1
					if (end > size) fail("a text in it does not end")
					token = substr($0, at, end - at + 1)
				} else if (c ~ /[-+.0-9A-Za-z]/) {
					end = at
					while (end < size && substr($0, end + 1, 1) ~ /[-+.0-9A-Za-z]/) end++
					token = substr($0, at, end - at + 1)
				} else if (c == "{" || c == "[") depth++
				else if (c == "}" || c == "]") depth--
				at += length(token)
				if (depth == 1) {
					if (token == ":") isvalue = 1
					else if (token == ",") isvalue = 0
					else if (c == "\"" && !isvalue) key = token
					else if (isvalue && (key in wanted) && (c == "\"" || length(token) > 1 || c ~ /[0-9]/)) {
						if (seen[key]++) fail(key " stands in it twice")
						token = wanted[key]
					}
				}
				out = out token
			}
			last = out
		}
		END {
			if (failed) exit 1
			if (depth != 0) { print "docker-from-subnet-env: its brackets do not match" > "/dev/stderr"; exit 1 }
			printf "%s", substr(last, 1, length(last) - 1)
			for (name in names) if (!seen["\"" name "\""]) print "docker-from-subnet-env: it has no " name > "/dev/stderr"
		}'
}

json() {
	file=$(readlink -f "$1") && [ -f "$file" ] || { say "there is no $1"; return 1; }
	shift
	beside=$(dirname "$file")/.$(basename "$file").netctl.$$
	trap 'rm -f "$beside"' EXIT
	# A copy first, so that mode and owner are those of the file.
	cp -p "$file" "$beside" && edit_json "$file" "$*" >"$beside" || { say "$file was left as it is"; return 1; }
	[ "$(cat "$file" && echo x)" != "$(cat "$beside" && echo x)" ] || return 0
	put "$beside" "$file" && say "$file: bip $bip, mtu ${'$'}{mtu:--}, ip-masq ${'$'}{masq:--}"
}

options() {
	file=$1 kept=$2 variable=$3
	shift 3
	line=
	for key; do
		case $key in
		bip) line="$line --bip=$bip" ;;
		ip-masq) [ -z "$masq" ] || line="$line --ip-masq=$masq" ;;
		mtu) [ -z "$mtu" ] || line="$line --mtu=$mtu" ;;
		esac
	done
	for each in "$kept" "$file"; do
		each=$(through "$each") || continue
		mkdir -p "$(dirname "$each")" || continue
		echo "$variable=\"$line\"" >"$each.netctl.$$" && put "$each.netctl.$$" "$each" || say "$each was not written"
	done
}

follow() {
	systemctl -q is-active docker.service || return 0
	for address in $(ip -4 -o addr show dev docker0 2>/dev/null | sed -n 's/.* inet \([0-9./]*\) .*/\1/p'); do
		[ "$address" != "$bip" ] || return 0
	done
	# No docker0: Docker has another bridge or none.
	[ -n "${'$'}{address:-}" ] || return 0
	say "docker0 is $address, flannel has $bip: restarting Docker"
	systemctl --no-block try-restart docker.service
}

[ $# -ge 2 ] || { say "see $0"; exit 2; }
mode=$1 subnet_env=$2
shift 2
case $mode in
json)
	seconds=$1
	shift
	read_subnet_env "$seconds" || { say "$subnet_env has no subnet yet; $1 was left as it is"; exit 1; }
	json "$@"
	;;
options)
	seconds=$1
	shift
	if read_subnet_env "$seconds"; then
		options "$@"
	elif [ -s "$1" ] || [ ! -s "$2" ]; then
		say "$subnet_env has no subnet yet; $1 was left as it is"
		exit 1
	else
		say "$subnet_env has no subnet yet; $1 is as it was last"
		to=$(through "$1") && cp "$2" "$to.netctl.$$" && put "$to.netctl.$$" "$to"
	fi
	;;
follow)
	read_subnet_env 0 || exit 0
	follow
	;;
*)
	say "see $0"
	exit 2
	;;
esac
`;
