import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { whyNoLab } from './base';
import type { Lab } from './lab';
import { bringUp, makeNodes, rulesOf, seenBy, seenOutside, untilMended } from './masquerade-lab';
import type { LabNetctl } from './netctl';
import { startLab } from './start-lab';

const reason = await whyNoLab();
if (reason !== undefined) console.error(`\n*** THE LAB JOURNEYS DO NOT RUN: ${reason} ***\n`);

const own = '172.7.21.x';
const host = '10.4.7.21';

describe.skipIf(reason !== undefined)('fix-masquerade among others who change the same things', () => {
  let lab: Lab;
  let netctl: LabNetctl;
  const node1 = () => lab.host('node1');
  const fix = (...args: readonly string[]) => netctl.run(['fix-masquerade', '--all', '--yes', ...args]);

  beforeAll(async () => {
    lab = await startLab({ workstation: 'namespace', hosts: 2 });
    netctl = await makeNodes(lab);
  });
  afterAll(() => lab?.stop());
  // Each begins with what Docker would have.
  afterEach(async () => {
    await netctl.must(['fix-masquerade', '--all', '--revert', '--yes']);
    await bringUp(lab);
  });

  test('two operators at once, and Docker restarting again and again, leave it right', async () => {
    const ends = await Promise.all([fix(), fix()]);
    // Whoever came second either finds it done or is told to run again; nothing is broken.
    expect(ends.map(({ code }) => code).filter((code) => code !== 0 && code !== 5)).toEqual([]);
    await untilMended(node1());
    const next = await fix('--no-probe');
    expect(next.code, next.stdout + next.stderr).toBe(0);
    // What it still had to do one of the two has told.
    if (!next.stdout.includes('2 unchanged')) expect(ends.map(({ code }) => code)).toContain(5);
    await netctl.must(['fix-masquerade', 'node1', '--revert', '--yes']);

    const restarts = node1().run('for i in 1 2 3 4; do systemctl reset-failed docker; systemctl restart docker; done', {
      timeoutSeconds: 100,
    });
    let isOver = false;
    void restarts.then(() => {
      isOver = true;
    });
    // A run that meets a stopped Docker refuses; the next one does it.
    for (let runs = 0; runs < 20 && !(isOver && runs > 1); runs++) await fix('--no-probe');
    await restarts;
    expect((await fix('--no-probe')).code).toBe(0);
    await untilMended(node1());
    expect(await seenBy(lab)).toBe(own);
    expect(await seenOutside(lab)).toBe(host);
    const text = await node1().must('iptables -t nat -S POSTROUTING');
    expect(text.match(/172\.7\.21\.0/g)).toHaveLength(1);
  });

  test('what FORWARD and Docker 28 drop is let in, and stays so over a restart of Docker', async () => {
    const node2 = lab.host('node2');
    // flanneld's accepts are not there, and the rule that Docker 28 ends its chain with is.
    await node2.must(
      'iptables -D FORWARD -s 172.7.0.0/16 -j ACCEPT; iptables -D FORWARD -d 172.7.0.0/16 -j ACCEPT; iptables -A DOCKER ! -i docker0 -o docker0 -j DROP',
    );
    const check = await netctl.run(['fix-masquerade', 'node2', '--check']);
    expect(check.code).toBe(10);
    expect(check.stdout).toContain('(docker-drops-overlay)');
    expect(check.stdout).toMatch(/container of another node to one here +dropped +172\.7\.21\.2/);
    const fixed = await fix('--no-probe');
    expect(fixed.code, fixed.stdout + fixed.stderr).toBe(0);
    expect(await seenBy(lab)).toBe(own);
    expect((await node2.must('iptables -S DOCKER-USER')).split('\n')[1]).toBe(
      '-A DOCKER-USER -s 172.7.0.0/16 ! -i docker0 -o docker0 -m comment --comment "netctl:masquerade" -j NETCTL-OVERLAY',
    );
    expect((await node2.must('iptables -S NETCTL-OVERLAY')).trim().split('\n')).toEqual([
      '-N NETCTL-OVERLAY',
      '-A NETCTL-OVERLAY -i docker0 -j RETURN',
      '-A NETCTL-OVERLAY -j ACCEPT',
    ]);
    await node2.must('systemctl restart docker && iptables -A DOCKER ! -i docker0 -o docker0 -j DROP');
    await expect.poll(() => seenBy(lab), { timeout: 20_000 }).toBe(own);
    await node2.must('iptables -F DOCKER-USER');
    await expect
      .poll(async () => (await node2.run('iptables -S DOCKER-USER')).stdout, { timeout: 15_000 })
      .toContain('netctl:masquerade');
    await node2.must('iptables -D DOCKER ! -i docker0 -o docker0 -j DROP');
  });

  test('a node whose packets do not prove it is put back as it was', async () => {
    // A condition that no one can judge from the rules alone.
    await node1().must(
      'iptables -t nat -I POSTROUTING -s 172.7.21.0/24 -d 172.7.0.0/16 -p tcp -m statistic --mode nth --every 1 --packet 0 -j SNAT --to-source 10.4.7.21',
    );
    const saved = '*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n';
    await node1().must(`mkdir -p /etc/iptables && printf '${saved}' >/etc/iptables/rules.v4`);
    const before = await rulesOf(node1());
    const failed = await netctl.run(['fix-masquerade', 'node1', '--save', '--yes']);
    expect(failed.code, failed.stdout + failed.stderr).toBe(5);
    expect(failed.stdout).toContain('(source-unknown)');
    expect(failed.stdout).toContain('node2 sees 10.4.7.21, not 172.7.21.254; the node was put back as it was');
    expect(await rulesOf(node1())).toEqual(before);
    expect(await node1().must('find /etc /usr/local/lib/netctl -name "*masquerade*"')).toBe('');
    expect((await node1().run('systemctl is-active netctl-masquerade')).stdout.trim()).toBe('inactive');
    expect(await node1().must('cat /etc/iptables/rules.v4; rm -r /etc/iptables')).toBe(saved);
    await node1().must('iptables -t nat -D POSTROUTING 1');
  });

  test('--save keeps the file of netfilter-persistent, without the rules that daemons make', async () => {
    await node1().must('mkdir -p /etc/iptables && iptables-save >/etc/iptables/rules.v4');
    expect((await netctl.run(['fix-masquerade', 'node1', '--check'])).stdout).toContain('(saved-rules-stale)');
    await netctl.must(['fix-masquerade', 'node1', '--save', '--no-probe', '--yes']);
    const saved = await node1().must('cat /etc/iptables/rules.v4');
    expect(saved).toContain('! -d 172.7.0.0/16');
    expect(saved).not.toMatch(/DOCKER-ISOLATION|-j DOCKER|-s 172\.7\.21\.0\/24 ! -o docker0 -j/);
    await node1().must('iptables-restore --test </etc/iptables/rules.v4');
    expect((await netctl.must(['fix-masquerade', 'node1', '--save', '--no-probe', '--yes'])).stdout).toContain(
      '1 unchanged',
    );
    // At boot it comes before Docker, which then finds its own chains missing, and makes them.
    await node1().must(
      'systemctl stop docker.socket docker; iptables-restore </etc/iptables/rules.v4; systemctl start docker',
    );
    await untilMended(node1());
    expect(await seenOutside(lab)).toBe(host);
  });
});
