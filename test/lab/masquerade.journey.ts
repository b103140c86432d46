import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { whyNoLab } from './base';
import type { Lab } from './lab';
import { bringUp, makeNodes, rulesOf, rulesOfOthers, seenBy, seenOutside, untilMended } from './masquerade-lab';
import type { LabNetctl } from './netctl';
import { startLab } from './start-lab';

const reason = await whyNoLab();
if (reason !== undefined) console.error(`\n*** THE LAB JOURNEYS DO NOT RUN: ${reason} ***\n`);

/*
 * The third seed, part 3: busybox httpd shows who comes. firewalld is not on the lab's machines: what its reload does, all rules of
 * others gone, is done with iptables.
 */
describe.skipIf(reason !== undefined)('the source address of containers', () => {
  let lab: Lab;
  let netctl: LabNetctl;
  let before: readonly string[];

  const own = '172.7.21.x';
  const host = '10.4.7.21';
  const node1 = () => lab.host('node1');
  const both = async (): Promise<readonly string[]> => [await seenBy(lab), await seenOutside(lab)];

  beforeAll(async () => {
    lab = await startLab({ workstation: 'namespace', hosts: 2 });
    netctl = await makeNodes(lab);
    await node1().must(rulesOfOthers);
    before = await rulesOf(node1());
  });
  afterAll(() => lab?.stop());

  test('is the node’s at first; --check says so with exit code 10, and --dry-run shows the rule that will be', async () => {
    expect(await both()).toEqual([host, host]);
    const check = await netctl.run(['fix-masquerade', '--all', '--check']);
    expect(check.code).toBe(10);
    expect(check.stdout).toContain('(source-masqueraded)');
    const dry = await netctl.must(['fix-masquerade', '--all', '--dry-run']);
    expect(dry.stdout).toContain('--A POSTROUTING -s 172.7.21.0/24 ! -o docker0 -j MASQUERADE');
    expect(dry.stdout).toContain('+-A POSTROUTING -s 172.7.21.0/24 ! -d 172.7.0.0/16 ! -o docker0');
    expect(await rulesOf(node1())).toEqual(before);
  });

  test('is not touched when nobody confirms', async () => {
    const refused = await netctl.run(['fix-masquerade', '--all']);
    expect(refused.code).toBe(3);
    expect(refused.stderr).toContain('not-confirmed');
    expect(await rulesOf(node1())).toEqual(before);
  });

  test('is mended while 200 connections are open, to the other node and to the outside, and none is lost', async () => {
    // A page that takes seven seconds: its connections are open before, during and after the change.
    await lab
      .host('node2')
      .must(
        `docker exec web sh -c 'printf "#!/bin/sh\\nsleep 7\\necho Content-type: text/plain\\necho\\necho whole\\n" >/www/cgi-bin/slow && chmod 755 /www/cgi-bin/slow'`,
      );
    const load = node1().run(
      `docker run --rm lab.image sh -c '
i=0; while [ $i -lt 100 ]; do i=$((i + 1)); wget -qO- http://172.7.22.2/cgi-bin/slow & done
i=0; while [ $i -lt 100 ]; do i=$((i + 1)); (n=0; while [ $n -lt 8 ]; do n=$((n + 1)); wget -qO- ${lab.internet.url} || echo lost; sleep 1; done) & done
wait'`,
      { timeoutSeconds: 100 },
    );
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const fixed = await netctl.run(['fix-masquerade', '--all', '--yes']);
    expect(fixed.code, fixed.stdout + fixed.stderr).toBe(0);
    expect(fixed.stdout).toContain('node2 sees 172.7.21.254, before 10.4.7.21');
    expect(fixed.stdout).toContain('outside answers');
    const pages = (await load).stdout.trim().split('\n');
    expect(pages.filter((line) => line === 'whole')).toHaveLength(100);
    expect(pages.filter((line) => line === host)).toHaveLength(800);
    expect(pages.filter((line) => line === 'lost')).toEqual([]);
  });

  test('is the container’s own then, and the node’s outside', async () => {
    expect(await both()).toEqual([own, host]);
    expect((await netctl.run(['fix-masquerade', '--all', '--check'])).code).toBe(0);
  });

  test('the rules of others are the same to the byte', async () => {
    const after = await rulesOf(node1());
    const dockers = '-A POSTROUTING -s 172.7.21.0/24 ! -o docker0 -j MASQUERADE';
    const ours =
      '-A POSTROUTING -s 172.7.21.0/24 ! -d 172.7.0.0/16 ! -o docker0 -m comment --comment "netctl:masquerade" -j MASQUERADE';
    expect(after.filter((line) => !line.includes('DOCKER-USER'))).toEqual(
      before.map((line) => (line === dockers ? ours : line)).filter((line) => !line.includes('DOCKER-USER')),
    );
  });

  test('the plan said what iptables then had', async () => {
    const document = await netctl.json(['fix-masquerade', 'node1', '--dry-run']);
    const nat = (await node1().must('iptables-save -t nat'))
      .split('\n')
      .filter((line) => line.startsWith('-A POSTROUTING'));
    expect(document).toMatchObject({ items: [{ state: 'unchanged', chains: [{ table: 'nat', after: nat }] }] });
  });

  test('run again nothing is changed', async () => {
    const { stdout } = await netctl.must(['fix-masquerade', '--all', '--yes']);
    expect(stdout).toContain('2 unchanged');
  });

  test('stays when Docker is restarted, from the moment it is up', async () => {
    await node1().must('systemctl restart docker');
    expect(await node1().must('iptables -t nat -S POSTROUTING')).not.toContain('-s 172.7.21.0/24 ! -o docker0');
    expect(await both()).toEqual([own, host]);
  });

  test('comes back when Docker was killed and systemd started it again', async () => {
    await node1().must('systemctl kill -s KILL docker; sleep 1; until docker info >/dev/null 2>&1; do sleep 0.2; done');
    await untilMended(node1());
    expect(await both()).toEqual([own, host]);
  });

  test('a rule of ours that stands there twice, or for an earlier network, goes', async () => {
    const rule = '-s 172.7.21.0/24 ! -d 172.7.0.0/16 ! -o docker0 -m comment --comment netctl:masquerade -j MASQUERADE';
    await node1().must(
      `iptables -t nat -A POSTROUTING ${rule} && iptables -t nat -A POSTROUTING ${rule.replace('172.7.0.0/16', '10.1.0.0/16')}`,
    );
    await untilMended(node1());
    expect((await node1().must('iptables -t nat -S POSTROUTING')).match(/netctl:masquerade/g)).toHaveLength(1);
  });

  test('comes back after a flush of the nat table, within seconds', async () => {
    await node1().must('iptables -t nat -F');
    await untilMended(node1());
    expect(await both()).toEqual([own, host]);
  });

  test('comes back after iptables-restore of a dump from before', async () => {
    await node1().must(
      'iptables-save -t nat | sed "s/ ! -d 172.7.0.0.16\\(.*\\) -m comment --comment .netctl:masquerade./\\1/" >/root/dump && grep -q -- "-s 172.7.21.0/24 ! -o docker0 -j MASQUERADE" /root/dump && iptables-restore </root/dump',
    );
    await untilMended(node1());
    expect(await both()).toEqual([own, host]);
    expect(await node1().must('journalctl -u netctl-masquerade -o cat')).toContain(
      'taken out: POSTROUTING -s 172.7.21.0/24 ! -o docker0',
    );
  });

  test('comes back after a reboot', async () => {
    await node1().reboot();
    await bringUp(lab);
    await untilMended(node1());
    expect(await both()).toEqual([own, host]);
    expect((await netctl.run(['fix-masquerade', '--all', '--check'])).code).toBe(0);
  });

  test('is Docker’s business again after --revert, and nothing of ours is left', async () => {
    const { stdout } = await netctl.must(['fix-masquerade', '--all', '--revert', '--yes']);
    expect(stdout).toContain('2 done');
    expect(await both()).toEqual([host, host]);
    expect(await node1().must('iptables-save')).not.toContain('netctl');
    expect(await node1().must('find /etc /usr/local -name "*netctl*"')).toBe('/usr/local/lib/netctl\n');
    await node1().must('systemctl restart docker');
    expect(await both()).toEqual([host, host]);
    expect((await netctl.must(['fix-masquerade', '--all', '--revert', '--yes'])).stdout).toContain('2 unchanged');
  });
});
