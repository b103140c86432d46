import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { whyNoLab } from './base';
import { mustExec } from './exec';
import type { Lab } from './lab';
import { flannelArchive, type LabNetctl, labAccess, netctlOn } from './netctl';
import { startLab } from './start-lab';

const reason = await whyNoLab();
if (reason !== undefined) console.error(`\n*** THE LAB JOURNEYS DO NOT RUN: ${reason} ***\n`);

/*
 * bootstrap is killed as soon as it has said its first, second, … line, on six bare hosts at a time, and run again.
 * Six hosts that start together are also those of which none may be left without a subnet.
 */
describe.skipIf(reason !== undefined)('bootstrap that is killed, wherever it was', () => {
  let lab: Lab;
  let netctl: LabNetctl;
  let archive: string;
  const names = [1, 2, 3, 4, 5, 6].map((number) => `node${number}`);

  // Hosts of its own for each test: none is barer than one that has just been made.
  beforeEach(async () => {
    lab = await startLab({ workstation: 'namespace', segments: [{ network: '10.4.7.0/24' }], hosts: 6, etcd: true });
    archive = await flannelArchive('v0.28.9');
    netctl = await netctlOn(lab, inventory(false));
    await netctl.must(['init-network', '--yes']);
  });
  afterEach(() => lab?.stop());

  const inventory = (isFixed: boolean) => ({
    ...labAccess(lab),
    network: { cidr: '172.7.0.0/16', backend: { type: 'host-gw' } },
    flannel: { version: 'v0.28.9', archive },
    nodes: names.map((name, index) => ({
      name,
      address: lab.host(name).address,
      ...(isFixed ? { subnet: `172.7.${21 + index}.0/24` } : {}),
    })),
  });

  test('six bare hosts at once: all are done, each with a subnet of its own, no flanneld is dead', async () => {
    const began = performance.now();
    expect((await netctl.must(['node', 'bootstrap', '--all', '--yes'])).stdout).toContain('6 done');
    console.error(`  six hosts bootstrapped in ${((performance.now() - began) / 1000).toFixed(1)} s`);
    await isRight();
  });

  // What one host's run says, line by line; more than there are lines is a run that ends by itself.
  test.for(
    [
      [1, 3, 5, 7, 9, 11],
      [12, 14, 16, 18, 20, 21],
    ].map((moments) => ({ moments })),
  )('killed after $moments lines, and run again', async ({ moments }) => {
    // Six runs at once that choose freely would choose the same: then all but one end with a conflict, before they do anything.
    await netctl.writeInventory(inventory(true));
    const killed = await Promise.all(
      moments.map((lines, index) => {
        const name = names[index] ?? '';
        const said = (text: string) => text.split('\n').filter((line) => line.startsWith(`${name}: `)).length >= lines;
        return netctl.runAndKill(['node', 'bootstrap', name, '--yes'], 'SIGKILL', said);
      }),
    );
    // The signal for the last lines may come when the run has just ended by itself; most are hit.
    const codes = killed.map(({ code }) => code);
    expect(codes.filter((code) => code !== 137 && code !== 0)).toEqual([]);
    expect(codes.filter((code) => code === 137).length).toBeGreaterThanOrEqual(moments.length / 2);
    const again = await netctl.run(['node', 'bootstrap', '--all', '--yes']);
    expect(again.code, again.stdout + again.stderr).toBe(0);
    await isRight();
  });

  /** Every node is as if nothing had happened. */
  async function isRight(): Promise<void> {
    const wanted = (await mustExec(['sh', '-c', 'tar -xzOf "$1" flanneld | sha256sum', 'sh', archive])).trim();
    const subnets = await Promise.all(
      lab.hosts.map(async (host) => {
        const look = `systemctl is-active flanneld docker; sysctl -n net.ipv4.ip_forward
          sed -n s/FLANNEL_SUBNET=//p /run/flannel/subnet.env; ip -4 -br addr show docker0 | awk '{print $3}'
          sha256sum </opt/flannel/flanneld; systemctl show -p NeedDaemonReload --value flanneld docker
          find /etc /opt /usr/local /var/lib/netctl /run -xdev -name '*netctl.*' -not -path '/run/systemd/*' 2>/dev/null; :`;
        const seen = (await host.must(look)).split('\n');
        const subnet = seen[3] ?? '';
        const right = ['active', 'active', '1', subnet, subnet, wanted, 'no', '', 'no', ''];
        expect(seen, host.name).toEqual(right);
        return subnet;
      }),
    );
    expect(new Set(subnets).size).toBe(lab.hosts.length);
    const keys = (await lab.etcd?.ctl('get', '--prefix', '--keys-only', '/coreos.com/network/subnets/'))?.stdout ?? '';
    expect(keys.match(/subnets/g)?.length).toBe(lab.hosts.length);
    expect((await netctl.must(['node', 'bootstrap', '--all', '--yes'])).stdout).toContain('6 unchanged');
    // One page is enough: routes are compared by number.
    const [first, last] = [lab.hosts[0], lab.hosts.at(-1)];
    const target = subnets.at(-1)?.replace(/\.1\/24$/, '.1') ?? '';
    await first?.must(`ping -c 1 -W 3 ${target}`);
    expect((await last?.must('ip -4 route show 172.7.0.0/16; ip -4 route | grep -c "^172.7.*via"'))?.trim()).toBe('5');
  }
});
