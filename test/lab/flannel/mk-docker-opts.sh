#!/bin/sh
# netctl's stand-in for flannel's mk-docker-opts.sh: the same options, the same
# output, the same oddities. Word splitting and unquoted expansions are meant:
# what callers see of them is part of what is imitated. Variable names that
# `set` can show (flannel_env, docker_env, combined_opts_key) are meant, too.

usage() {
	cat >&2 <<TEXT
$0 [-f FILE] [-d FILE] [-i] [-c] [-m] [-k KEY]

Options for the Docker daemon, made from flannel's subnet file.
	-f	subnet file (/run/flannel/subnet.env)
	-d	file to write (/run/docker_opts.env)
	-i	one variable per option, e.g. DOCKER_OPT_MTU=1500
	-c	one variable with all options
	-k	name of that variable (DOCKER_OPTS)
	-m	leave --ip-masq out
TEXT
	exit 1
}

flannel_env=/run/flannel/subnet.env
docker_env=/run/docker_opts.env
combined_opts_key=DOCKER_OPTS
single=no
combined=no
masquerade=yes

while getopts "f:d:icmk:?h" letter; do
	case $letter in
	f) flannel_env=$OPTARG ;;
	d) docker_env=$OPTARG ;;
	i) single=yes ;;
	c) combined=yes ;;
	m) masquerade=no ;;
	k) combined_opts_key=$OPTARG ;;
	*) usage ;;
	esac
done
if [ $single$combined = nono ]; then
	single=yes
	combined=yes
fi

if [ -f "$flannel_env" ]; then
	. $flannel_env
fi

[ -z "$FLANNEL_SUBNET" ] || DOCKER_OPT_BIP="--bip=$FLANNEL_SUBNET"
[ -z "$FLANNEL_MTU" ] || DOCKER_OPT_MTU="--mtu=$FLANNEL_MTU"
if [ -n "$FLANNEL_IPMASQ" ] && [ $masquerade = yes ]; then
	# Exactly one of flannel and Docker masquerades.
	case $FLANNEL_IPMASQ in
	true) DOCKER_OPT_IPMASQ=--ip-masq=false ;;
	false) DOCKER_OPT_IPMASQ=--ip-masq=true ;;
	*)
		echo "Invalid value of FLANNEL_IPMASQ: $FLANNEL_IPMASQ" >&2
		exit 1
		;;
	esac
fi

eval line="\$${combined_opts_key}"
[ -z "$line" ] || line="$line "

printf '' >$docker_env
for word in $(set | grep "DOCKER_OPT_"); do
	name=$(echo $word | awk -F= '{ print $1 }')
	value=$(eval echo "\$$name")
	[ $single = no ] || echo "$name=\"$value\"" >>$docker_env
	line="$line $value"
done
if [ $combined = yes ]; then
	echo "$combined_opts_key=\"$line\"" >>$docker_env
fi
# >>> from v0.18.0
if [ -n "$FLANNEL_SUBNET" ]; then
	last=$(echo $FLANNEL_SUBNET | cut -d. -f4 | cut -d/ -f1)
	last=$((${last} - 1))
	wanted=$(echo $FLANNEL_SUBNET | cut -d. -f1-3).$last/$(echo $FLANNEL_SUBNET | cut -d/ -f2)
	found=$(ip route show | grep $wanted | grep via)
	if [ -n "$found" ]; then
		echo "Your routing table already contains the subnet: $found" >&2
		exit 1
	fi
fi
# <<<
