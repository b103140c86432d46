import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ssh2, { type Connection, type ServerChannel } from 'ssh2';

/** A node that SSH reaches: the shell of this machine, with a flanneld, addresses, a systemd and pings that are only played. */
export interface SshNode {
  readonly port: number;
  /** What its systemd was told to do, in order: `stop flanneld.service`. */
  readonly told: () => readonly string[];
  /** From now on flanneld of its unit runs with a subnet; null: it does not run. */
  readonly flanneld: (subnet: string | null) => void;
  /** What its subnet.env names; null: there is none. */
  readonly subnetEnv: (subnet: string | null) => void;
  /** `systemctl stop` fails from now on. */
  readonly failStop: () => void;
  readonly close: () => Promise<void>;
}

export interface SshNodeOptions {
  readonly folder: string;
  /** Its own, on eth0. */
  readonly address: string;
  /** Of docker0: what it has of its subnet. */
  readonly bridge?: string;
  /** Addresses that answer its pings. */
  readonly awake?: readonly string[];
  /** Is there a unit that starts flanneld at boot? Default true. */
  readonly hasUnit?: boolean;
}

const hostKey = ssh2.utils.generateKeyPairSync('ed25519').private;
const pid = 77;

/** A key that such nodes take, as they take any. */
export function writeIdentity(path: string): void {
  writeFileSync(path, ssh2.utils.generateKeyPairSync('ed25519').private, { mode: 0o600 });
}

export async function startSshNode(options: SshNodeOptions): Promise<SshNode> {
  const { folder, address, bridge, awake = [], hasUnit = true } = options;
  const [bin, proc, away] = [join(folder, 'bin'), join(folder, 'proc', String(pid)), join(folder, 'away')];
  for (const path of [bin, away]) mkdirSync(path, { recursive: true });
  mkdirSync(join(folder, 'proc'), { recursive: true });
  const program = (name: string, text: string) => writeFileSync(join(bin, name), `#!/bin/sh\n${text}`, { mode: 0o755 });

  const unit = (name: string, state: string) =>
    name === 'flanneld.service' && hasUnit
      ? `Id=${name}\nLoadState=loaded\nActiveState=${state}\nUnitFileState=enabled\nMainPID=${state === 'active' ? pid : 0}\nRequiredBy=\nBoundBy=\nConsistsOf=\n`
      : `Id=${name}\nLoadState=not-found\nActiveState=inactive\nUnitFileState=\nMainPID=0\n`;
  for (const state of ['active', 'inactive']) {
    writeFileSync(
      join(folder, state),
      ['flanneld.service', 'flannel.service'].map((name) => unit(name, state)).join('\n'),
    );
  }
  program(
    'systemctl',
    `[ "$1" = show ] || echo "$*" >>${folder}/told
case $1 in
show) if [ -d ${proc} ]; then cat ${folder}/active; else cat ${folder}/inactive; fi;;
stop) if [ -e ${folder}/stop-fails ]; then echo 'Failed to stop' >&2; exit 1; fi; mv ${proc} ${away}/;;
start) mv ${away}/${pid} ${folder}/proc/; touch ${folder}/run/subnet.env;;
esac
`,
  );
  const link = (name: string, local: string, prefixlen: number) => ({
    ifindex: name === 'eth0' ? 2 : 3,
    ifname: name,
    flags: ['BROADCAST', 'UP', 'LOWER_UP'],
    mtu: 1500,
    link_type: 'ether',
    addr_info: [{ family: 'inet', local, prefixlen, scope: 'global' }],
  });
  const links = [link('eth0', address, 24), ...(bridge === undefined ? [] : [link('docker0', bridge, 24)])];
  writeFileSync(join(folder, 'links'), JSON.stringify(links));
  const routes = [
    { dst: 'default', gateway: '192.0.2.254', dev: 'eth0', flags: [] },
    { dst: '10.1.0.0/16', dev: 'flannel.1', flags: ['onlink'] },
    ...(bridge === undefined
      ? []
      : [{ dst: bridge.replace(/\d+$/, '0/24'), dev: 'docker0', protocol: 'kernel', scope: 'link', flags: [] }]),
  ];
  writeFileSync(join(folder, 'routes'), JSON.stringify(routes));
  program(
    'ip',
    `case "$*" in *route*) cat ${folder}/routes;; *neigh*) echo '[]';; *addr*|*link*) cat ${folder}/links;; *) exit 1;; esac\n`,
  );
  program(
    'ping',
    `for last; do :; done
case " ${awake.join(' ')} " in
*" $last "*) echo "64 bytes from $last: icmp_seq=1 ttl=64 time=0.1 ms";;
*) echo '1 packets transmitted, 0 received'; exit 1;;
esac
`,
  );
  mkdirSync(join(folder, 'run'), { recursive: true });

  /** Its own files instead of this machine's, in whatever is asked. */
  const ownFiles = (text: string): string =>
    text
      .replaceAll('/proc/[0-9]*/', `${folder}/proc/[0-9]*/`)
      .replaceAll('p#/proc/}', 'p##*/}')
      .replaceAll('/run/flannel/', `${folder}/run/`);

  const run = (command: string, channel: ServerChannel): void => {
    const child = spawn('/bin/sh', ['-c', ownFiles(command)], {
      env: { PATH: `${bin}:${process.env['PATH'] ?? ''}`, HOME: folder },
    });
    let input = '';
    channel.setEncoding('utf8').on('data', (part: string) => {
      input += part;
    });
    channel.on('end', () => child.stdin.end(ownFiles(input)));
    child.stdin.on('error', () => undefined);
    child.stdout.on('data', (part: Buffer) => channel.write(part));
    child.stderr.on('data', (part: Buffer) => channel.stderr.write(part));
    child.on('close', (code) => {
      channel.exit(code ?? 255);
      channel.end();
    });
  };
  const clients = new Set<Connection>();
  const server = new ssh2.Server({ hostKeys: [hostKey] }, (client) => {
    clients.add(client);
    client.on('authentication', (login) => login.accept());
    client.on('session', (accept) => {
      accept().on('exec', (take, _refuse, { command }) => run(command, take()));
    });
    client.on('error', () => undefined);
    client.on('close', () => clients.delete(client));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const place: unknown = server.address();
  const port = typeof place === 'object' && place !== null && 'port' in place ? Number(place.port) : 0;

  const subnetEnv = (subnet: string | null): void => {
    const file = join(folder, 'run/subnet.env');
    rmSync(file, { force: true });
    if (subnet === null) return;
    const own = subnet.replace(/0(\/\d+)$/, '1$1');
    writeFileSync(file, `FLANNEL_NETWORK=10.1.0.0/16\nFLANNEL_SUBNET=${own}\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n`);
  };
  return {
    port,
    told: () => (existsSync(join(folder, 'told')) ? readFileSync(join(folder, 'told'), 'utf8').trim().split('\n') : []),
    subnetEnv,
    flanneld: (subnet) => {
      rmSync(proc, { recursive: true, force: true });
      if (subnet === null) return;
      subnetEnv(subnet);
      mkdirSync(proc);
      const zeros = Array.from({ length: 30 }, () => '1').join(' ');
      for (const [name, text] of Object.entries({
        comm: 'flanneld\n',
        cmdline: '/opt/flannel/flanneld\0',
        environ: '',
        status: 'Name:\tflanneld\nUid:\t0\t0\t0\t0\n',
        stat: `${pid} (flanneld) S ${zeros}\n`,
      })) {
        writeFileSync(join(proc, name), text);
      }
    },
    failStop: () => writeFileSync(join(folder, 'stop-fails'), ''),
    close: () => {
      for (const client of clients) client.end();
      return new Promise((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}
