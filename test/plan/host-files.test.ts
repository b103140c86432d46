import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { execWords } from '../../src/lib/net/flannel-unit';
import { parseFlannelVersion } from '../../src/lib/net/flannel-version';
import { isWrittenByNetctl } from '../../src/lib/net/written-by-netctl';
import {
  type HostFilesWish,
  hostFilePaths,
  hostFiles,
  needsForwardAccepts,
  withoutNetctlBlock,
} from '../../src/lib/plan/host-files';

const debian: HostFilesWish = {
  version: parseFlannelVersion('v0.28.9'),
  backend: 'vxlan',
  hasDirectRouting: true,
  network: '10.0.0.0/16',
  ipv6Network: null,
  enableNFTables: false,
  hasForwardRules: true,
  strictRpFilter: [],
  present: { systemdVersion: 252, networkManager: false, networkd: true, dhcpcdConf: null, iptables: true },
};

const everything: HostFilesWish = {
  ...debian,
  ipv6Network: 'fc00::/48',
  enableNFTables: true,
  iface: 'eth0.100',
  strictRpFilter: ['flannel.1', 'eth0.100', 'flannel.1'],
  present: {
    systemdVersion: 252,
    networkManager: true,
    networkd: true,
    dhcpcdConf: 'hostname\ninterface eth0\nstatic routers=10.0.0.1\n',
    iptables: true,
  },
};

const contentOf = (wish: HostFilesWish, path: string): string | undefined => {
  const file = hostFiles(wish).files.find((candidate) => candidate.path === path);
  return file?.kind === 'file' ? String(file.content) : undefined;
};
const settings = (text: string | undefined): readonly string[] =>
  (text ?? '').split('\n').filter((line) => line !== '' && !line.startsWith('#'));

describe('what the host needs', () => {
  it.each<[string, HostFilesWish]>([
    ['host-vxlan', debian],
    ['host-everything', everything],
  ])('%s is as it was when it was read and found right', async (name, wish) => {
    const { files, commands } = hostFiles(wish);
    const texts = files.map((file) => `=== ${file.path}\n${file.kind === 'file' ? String(file.content) : ''}`);
    const lines = commands.map(({ argv, after, why }) => `$ ${argv.join(' ')}   # ${why}; after ${after.join(' ')}\n`);
    await expect([...texts, ...lines].join('')).toMatchFileSnapshot(join(import.meta.dirname, 'golden', `${name}.txt`));
    expect(hostFiles(wish)).toEqual(hostFiles(wish));
  });

  it('is the least for host-gw on a host without any of these programs', () => {
    const bare = { systemdVersion: null, networkManager: false, networkd: false, dhcpcdConf: null, iptables: true };
    const { files } = hostFiles({ ...debian, backend: 'host-gw', hasDirectRouting: false, present: bare });
    expect(files.map(({ path }) => path)).toEqual([hostFilePaths.modules, hostFilePaths.sysctl]);
    expect(settings(contentOf({ ...debian, backend: 'host-gw' }, hostFilePaths.modules))).toEqual(['br_netfilter']);
    expect(settings(contentOf(debian, hostFilePaths.sysctl))).toEqual([
      'net.ipv4.ip_forward = 1',
      'net.bridge.bridge-nf-call-iptables = 1',
    ]);
  });

  it('keeps the routes of host-gw and DirectRouting from networkd, and does not touch it otherwise', () => {
    expect(contentOf({ ...debian, backend: 'host-gw', hasDirectRouting: false }, hostFilePaths.networkd)).toContain(
      'ManageForeignRoutes=no',
    );
    expect(contentOf(debian, hostFilePaths.networkd)).toContain('ManageForeignRoutes=no');
    expect(contentOf({ ...debian, hasDirectRouting: false }, hostFilePaths.networkd)).toBeUndefined();
  });

  it('is a .link file against another MAC address, only where a lease holds one', () => {
    expect(settings(contentOf(debian, hostFilePaths.link))).toEqual([
      '[Match]',
      'OriginalName=flannel*',
      '[Link]',
      'MACAddressPolicy=none',
    ]);
    expect(contentOf({ ...debian, backend: 'host-gw' }, hostFilePaths.link)).toBeUndefined();
  });

  it('loads modules before it makes the settings that exist only with them', () => {
    const argv = hostFiles(debian).commands.map((command) => command.argv.join(' '));
    expect(argv.slice(0, 3)).toEqual([
      'modprobe br_netfilter',
      'modprobe vxlan',
      'sysctl -e -p /etc/sysctl.d/99-flannel.conf',
    ]);
  });

  it('tells networkd only what its release can be told', () => {
    const argv = (systemdVersion: number): readonly string[] =>
      hostFiles({ ...debian, present: { ...debian.present, systemdVersion } }).commands.map((command) =>
        command.argv.join(' '),
      );
    expect(argv(244)).toContain('networkctl reload');
    expect(argv(241)).not.toContain('networkctl reload');
  });

  it('names an interface with a dot as sysctl does, and fails not while it is missing', () => {
    expect(
      settings(contentOf(everything, hostFilePaths.sysctl)).filter((line) => /rp_filter|accept_ra/.test(line)),
    ).toEqual([
      '-net.ipv6.conf.eth0/100.accept_ra = 2',
      'net.ipv4.conf.default.rp_filter = 2',
      '-net.ipv4.conf.eth0/100.rp_filter = 2',
      '-net.ipv4.conf.flannel/1.rp_filter = 2',
    ]);
  });

  it('says whose it is, and when it takes effect', () => {
    const { files, commands } = hostFiles(everything);
    for (const file of files) {
      // A file that is only partly ours must not look as if it could be deleted.
      if (file.kind === 'file')
        expect(isWrittenByNetctl(String(file.content)), file.path).toBe(file.path !== hostFilePaths.dhcpcd);
    }
    const known = new Set<string>(files.map(({ path }) => path));
    expect(commands.flatMap(({ after }) => after).filter((path) => !known.has(path))).toEqual([]);
    // A firewall or a network service that is restarted by us would be the outage that this is to prevent.
    expect(JSON.stringify(commands)).not.toMatch(/"restart"|flush|stop/);
  });
});

describe('dhcpcd', () => {
  const before = everything.present.dhcpcdConf ?? '';
  const after = contentOf(everything, hostFilePaths.dhcpcd) ?? '';

  it('keeps all that it was told, after what netctl tells it', () => {
    expect(after.endsWith(before)).toBe(true);
    expect(after.indexOf('denyinterfaces flannel* docker0 veth*')).toBeLessThan(after.indexOf('interface eth0'));
  });

  it('is told once, and forgets it again', () => {
    expect(
      contentOf({ ...everything, present: { ...everything.present, dhcpcdConf: after } }, hostFilePaths.dhcpcd),
    ).toBe(after);
    expect(withoutNetctlBlock(after)).toBe(before);
    expect(withoutNetctlBlock('# netctl: begin\nno end')).toBe('# netctl: begin\nno end');
    expect(withoutNetctlBlock('')).toBe('');
  });
});

describe('accepts in FORWARD', () => {
  it('are needed where flanneld adds none, or where they do not count', () => {
    const needs = (tag: string, more: Partial<HostFilesWish> = {}): boolean =>
      needsForwardAccepts({ ...debian, version: parseFlannelVersion(tag), ...more });
    expect(needs('v0.9.0')).toBe(true);
    expect(needs('v0.9.1')).toBe(false);
    expect(needs('v0.10.0', { hasForwardRules: false })).toBe(false);
    expect(needs('v0.11.0', { hasForwardRules: false })).toBe(true);
    expect(needs('v0.28.9')).toBe(false);
    expect(needs('v0.28.9', { enableNFTables: true })).toBe(true);
    expect(needs('v0.28.9', { enableNFTables: true, present: { ...debian.present, iptables: false } })).toBe(false);
  });

  const unit = contentOf({ ...debian, hasForwardRules: false }, hostFilePaths.forward) ?? '';
  const commands = (key: string): readonly (readonly string[])[] =>
    unit
      .split('\n')
      .filter((line) => line.startsWith(`${key}=`))
      .map((line) => execWords(line.slice(key.length + 1)));

  it('are added once however often the unit runs, and all taken back; no policy, no flush', () => {
    // A chain made of a file, so that the shell texts are really run.
    const folder = mkdtempSync(join(tmpdir(), 'netctl-forward-'));
    try {
      writeFileSync(
        join(folder, 'iptables'),
        `#!/bin/sh
shift 2; action=$1; shift
case $action in
  -C) grep -qxF -- "$*" ${folder}/rules ;;
  -A) echo "$*" >> ${folder}/rules ;;
  -D) grep -qxF -- "$*" ${folder}/rules || exit 1; awk -v rule="$*" '$0 == rule && !done { done = 1; next } { print }' ${folder}/rules > ${folder}/new; mv ${folder}/new ${folder}/rules ;;
  *) echo "unexpected $action" >&2; exit 9 ;;
esac
`,
        { mode: 0o755 },
      );
      const foreign = 'FORWARD -s 10.0.0.0/16 -j DROP';
      writeFileSync(join(folder, 'rules'), `${foreign}\n`);
      const run = (key: string): string => {
        for (const [program = '', ...words] of commands(key)) {
          execFileSync(program, words, { env: { ...process.env, PATH: `${folder}:${process.env['PATH']}` } });
        }
        return execFileSync('cat', [join(folder, 'rules')], { encoding: 'utf8' });
      };
      const added = [
        foreign,
        'FORWARD -s 10.0.0.0/16 -m comment --comment netctl:forward -j ACCEPT',
        'FORWARD -d 10.0.0.0/16 -m comment --comment netctl:forward -j ACCEPT',
        '',
      ].join('\n');
      expect(run('ExecStart')).toBe(added);
      expect(run('ExecStart')).toBe(added);
      expect(run('ExecReload')).toBe(added);
      expect(run('ExecStop')).toBe(`${foreign}\n`);
      expect(run('ExecStop')).toBe(`${foreign}\n`);
    } finally {
      rmSync(folder, { recursive: true });
    }
    expect(unit).not.toMatch(/ -P | -F | -X |--flush|--policy/);
  });

  it.skipIf(spawnSync('systemd-analyze', ['--version']).status !== 0)(
    'are a unit that systemd does not complain about',
    () => {
      const folder = mkdtempSync(join(tmpdir(), 'netctl-forward-'));
      try {
        writeFileSync(join(folder, 'netctl-forward.service'), unit);
        const { status, stderr } = spawnSync('systemd-analyze', ['verify', join(folder, 'netctl-forward.service')], {
          encoding: 'utf8',
        });
        expect(stderr.split('\n').filter((line) => line.includes('netctl-forward'))).toEqual([]);
        expect(status).toBe(0);
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  );
});
