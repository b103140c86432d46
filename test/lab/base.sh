#!/bin/sh
# Builds the root file system that every lab host is an overlay of:  base.sh FOLDER MIRROR SUITE
# FOLDER/root is the file system. It is built beside its place and renamed, so what stands there is whole.
set -eu
folder=$1 mirror=$2 suite=$3
[ -e "$folder/root" ] && exit 0

# debootstrap fetches with wget, which does not read apt's proxy.
eval "$(apt-config shell proxy Acquire::http::Proxy 2>/dev/null || :)"
if [ -n "${proxy:-}" ] && [ "$proxy" != DIRECT ]; then export http_proxy="$proxy"; fi

packages=systemd,systemd-sysv,dbus,openssh-server,sudo,ca-certificates,curl,procps,kmod,less
packages=$packages,iproute2,iptables,nftables,conntrack,ethtool,tcpdump,iputils-ping,netcat-openbsd
packages=$packages,docker.io,supervisor,etcd-server,etcd-client,python3,busybox-static

new=$folder.new
rm -rf --one-file-system "$new"
mkdir -p "$new" "${folder%/*}/debs"
debootstrap --variant=minbase --cache-dir="${folder%/*}/debs" --include="$packages" "$suite" "$new/root" "$mirror"
root=$new/root

# --- What runs, and what does not -------------------------------------------------------------------------------
in_root() { chroot "$root" "$@"; }
in_root systemctl -q disable etcd.service supervisor.service
in_root systemctl -q mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
  e2scrub_reap.service fstrim.timer getty.target console-getty.service systemd-pstore.service \
  systemd-networkd.service systemd-resolved.service hwclock-save.service
# These would set the kernel of the machine itself, which the lab leaves as it is.
for file in 50-pid-max.conf 99-protect-links.conf; do ln -s /dev/null "$root/etc/sysctl.d/$file"; done

# nspawn mounts the version 1 controllers read-only, and runc then fails.
cat >"$root/etc/systemd/system/lab-cgroups.service" <<'EOF'
[Unit]
Description=Lab: make the cgroup controllers writable
DefaultDependencies=no
Before=containerd.service docker.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'for c in /sys/fs/cgroup/*/; do mount -o remount,rw,bind "$c" 2>/dev/null; done; :'

[Install]
WantedBy=sysinit.target
EOF
cat >"$root/etc/systemd/system/lab-image.service" <<'EOF'
[Unit]
Description=Lab: the image lab.image
After=docker.service
Requisite=docker.service
ConditionPathExists=!/var/lib/docker/lab-image

[Service]
Type=oneshot
ExecStart=/bin/sh -ec 'docker import -c "CMD [\\"sh\\"]" /usr/local/lib/lab/image.tar lab.image && touch /var/lib/docker/lab-image'

[Install]
WantedBy=multi-user.target
EOF
in_root systemctl -q enable lab-cgroups.service lab-image.service

# --- People -----------------------------------------------------------------------------------------------------
in_root useradd -m -s /bin/bash admin
in_root useradd -m -s /bin/bash -G sudo ops
echo 'ops:ops-secret' | in_root chpasswd
echo 'admin ALL=(ALL:ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/admin"
chmod 0440 "$root/etc/sudoers.d/admin"
cat >"$root/etc/ssh/sshd_config.d/lab.conf" <<'EOF'
UseDNS no
PasswordAuthentication yes
PermitRootLogin prohibit-password
MaxStartups 200
# The log is read by tests that ask who came, and with which key.
LogLevel VERBOSE
EOF
rm -f "$root"/etc/ssh/ssh_host_*

# --- The image: a static busybox under its many names, and a page -----------------------------------------------
image=$new/image
mkdir -p "$image/bin" "$image/etc" "$image/tmp" "$image/www/cgi-bin" "$root/usr/local/lib/lab"
cp "$root/bin/busybox" "$image/bin/busybox"
for name in $(in_root busybox --list); do
  [ "$name" = busybox ] || ln -s busybox "$image/bin/$name"
done
echo 'root:x:0:0:root:/:/bin/sh' >"$image/etc/passwd"
echo 'a page of a lab container' >"$image/www/index.html"
cat >"$image/www/cgi-bin/address" <<'EOF'
#!/bin/sh
# busybox writes [::ffff:10.4.7.21] where it listens on both families.
address=${REMOTE_ADDR#"[::ffff:"}
printf 'Content-Type: text/plain\r\n\r\n%s\n' "${address%]}"
EOF
chmod 0755 "$image/www/cgi-bin/address"
chmod 1777 "$image/tmp"
tar --owner=0 --group=0 --numeric-owner -C "$image" -cf "$root/usr/local/lib/lab/image.tar" .
cp "$root/bin/busybox" "$new/busybox"
cp -r "$image/www" "$new/www"
rm -rf "$image"

# --- Modules: where the kernel has everything built in and brought no list of it, modprobe must know ------------
release=$(uname -r)
mkdir -p "$root/lib/modules/$release"
if [ ! -e "/lib/modules/$release/modules.dep" ]; then
  {
    for name in net/bridge/bridge net/bridge/br_netfilter drivers/net/vxlan/vxlan drivers/net/veth drivers/net/tun \
      fs/overlayfs/overlay net/netfilter/nf_tables net/netfilter/nf_conntrack net/netfilter/nf_nat \
      net/netfilter/x_tables net/netfilter/xt_conntrack net/netfilter/xt_addrtype net/netfilter/xt_MASQUERADE \
      net/netfilter/xt_comment net/netfilter/nft_compat net/netfilter/nfnetlink net/ipv4/netfilter/ip_tables \
      net/ipv4/netfilter/iptable_nat net/ipv4/netfilter/iptable_filter net/ipv4/netfilter/iptable_mangle; do
      echo "kernel/$name.ko"
    done
  } >"$root/lib/modules/$release/modules.builtin"
  : >"$root/lib/modules/$release/modules.order"
  in_root depmod -a "$release"
fi

# --- A host has its own name, number and keys; it gets them with its overlay ------------------------------------
: >"$root/etc/machine-id"
: >"$root/etc/resolv.conf"
rm -f "$root/etc/hostname" "$root/var/lib/dbus/machine-id"
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/var/lib/etcd/*
mkdir -p "$root/mnt/lab"
mv "$new" "$folder"
