/** What holds for keys that a `netctl.yaml` does not have. Keys that are not here have no default: nothing is assumed. */
export const inventoryDefaults = {
  etcd: {
    endpoints: ['http://127.0.0.1:2379'],
    prefix: '/coreos.com/network',
    api: 'auto',
    timeoutSeconds: 5,
  },
  flannel: {
    installDir: '/opt/flannel',
    service: 'systemd',
    ipMasq: false,
    subnetFile: '/run/flannel/subnet.env',
    healthzIP: '0.0.0.0',
    healthzPort: 0,
  },
  docker: {
    style: 'daemon-json',
    daemonJson: '/etc/docker/daemon.json',
    optionsFile: '/run/docker_opts.env',
    service: 'docker',
    restartTimeoutSeconds: 60,
  },
  ssh: {
    port: 22,
    sudo: 'none',
    knownHosts: '~/.ssh/known_hosts',
    hostKey: 'strict',
    connectTimeoutSeconds: 10,
  },
} as const;
