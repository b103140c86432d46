import { afterEach, describe, expect, test } from 'vitest';
import { whyNoLab } from './base';
import type { Lab } from './lab';
import { makeNodes, rulesOf, seenBy, seenOutside, untilMended } from './masquerade-lab';
import type { LabNetctl } from './netctl';
import { startLab } from './start-lab';

const reason = await whyNoLab();
if (reason !== undefined) console.error(`\n*** THE LAB JOURNEYS DO NOT RUN: ${reason} ***\n`);

const own = '172.7.21.x';
const host = '10.4.7.21';

/* Where Docker's rules are elsewhere than on most machines, and where flanneld masquerades itself. */
describe.skipIf(reason !== undefined)('fix-masquerade on other kinds of nodes', () => {
  let lab: Lab;
  let netctl: LabNetctl;
  const start = async (options: { readonly iptables?: 'nft' | 'legacy'; readonly ipMasq?: boolean }) => {
    const { iptables = 'nft', ipMasq = false } = options;
    lab = await startLab({ workstation: 'namespace', hosts: 2, iptables });
    netctl = await makeNodes(lab, ipMasq);
  };
  const node1 = () => lab.host('node1');
  afterEach(() => lab?.stop());

  test('the legacy front end is mended where Docker’s rules are there', async () => {
    await start({ iptables: 'legacy' });
    expect(await seenBy(lab)).toBe(host);
    const before = await rulesOf(node1());
    await netctl.must(['fix-masquerade', 'node1', '--yes']);
    expect(await seenBy(lab)).toBe(own);
    expect(await node1().must('iptables-legacy-save -t nat')).toContain('netctl:masquerade');
    expect(await node1().must('iptables-nft-save -t nat')).not.toContain('netctl:masquerade');
    await node1().must('systemctl restart docker');
    expect(await seenBy(lab)).toBe(own);
    await node1().must('iptables -t nat -F');
    await untilMended(node1());
    expect(await seenOutside(lab)).toBe(host);
    await node1().must('systemctl restart docker');
    await netctl.must(['fix-masquerade', 'node1', '--revert', '--yes']);
    expect(await rulesOf(node1())).toEqual(before);
  });

  test('where flanneld masquerades Docker is told not to, and nobody is without a way out when flanneld’s rule goes', async () => {
    await start({ ipMasq: true });
    // flanneld's rules up to v0.15, as it appends them.
    await node1().must(`iptables -t nat -A POSTROUTING -s 172.7.0.0/16 -d 172.7.0.0/16 -j RETURN
iptables -t nat -A POSTROUTING -s 172.7.0.0/16 ! -d 224.0.0.0/4 -j MASQUERADE --random-fully`);
    const pid = await node1().must('systemctl show -p MainPID --value docker');
    const fixed = await netctl.run(['fix-masquerade', 'node1', '--yes']);
    expect(fixed.code, fixed.stdout + fixed.stderr).toBe(0);
    expect(fixed.stdout).toContain('method docker: flanneld masquerades');
    expect(await node1().must('systemctl show -p MainPID --value docker')).toBe(pid);
    expect(await seenBy(lab)).toBe(own);
    expect(await seenOutside(lab)).toBe(host);
    await node1().must('systemctl restart docker');
    expect(await node1().must('iptables -t nat -S POSTROUTING')).not.toContain('172.7.21.0/24');
    expect((await netctl.must(['fix-masquerade', 'node1', '--yes'])).stdout).toContain('1 unchanged');
    // flanneld has ended and somebody flushed: ours comes until flanneld's is there again.
    await node1().must('iptables -t nat -F POSTROUTING');
    await untilMended(node1());
    expect(await seenOutside(lab)).toBe(host);
    await node1().must(`iptables -t nat -A POSTROUTING -s 172.7.0.0/16 -d 172.7.0.0/16 -j RETURN
iptables -t nat -A POSTROUTING -s 172.7.0.0/16 ! -d 224.0.0.0/4 -j MASQUERADE --random-fully`);
    await expect
      .poll(() => node1().must('iptables -t nat -S POSTROUTING'), { timeout: 15_000 })
      .not.toContain('netctl:masquerade');
    await netctl.must(['fix-masquerade', 'node1', '--revert', '--yes']);
    expect(await node1().must('cat /etc/docker/daemon.json')).toBe('{"bip": "172.7.21.1/24"}\n');
  });
});
