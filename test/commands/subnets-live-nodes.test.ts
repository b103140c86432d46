import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { cliFor } from '../support/cli';
import { documentOf } from '../support/documents';
import { type Etcd, startEtcd } from '../support/etcd';
import { hostGw, leaseLikeFlanneld } from '../support/flannel-leases';
import { killedAtWrite } from '../support/killed-at-write';
import { type SshNode, startSshNode, writeIdentity } from '../support/ssh-node';
import { netctlOnTerminal } from '../support/terminal';

/*
 * web1 to web3, which SSH reaches and whose flannelds run with 10.1.21.0/24 to 10.1.23.0/24; and whoever a test adds to the inventory.
 */

function leftOut(): void {}

describe.each(['v3', 'v2'] as const)('leases of nodes that live, on etcd %s', (api) => {
  // What etcd's API has no part in is tried once.
  const [describeOnce, itOnce] = api === 'v3' ? [describe, it] : [leftOut, leftOut];
  let etcd: Etcd;
  let cli: ReturnType<typeof cliFor>;
  let nodes: readonly SshNode[];
  let prefix: string;
  let networks = 0;

  beforeAll(async () => {
    etcd = await startEtcd();
  });
  afterAll(() => etcd.stop());
  beforeEach(async () => {
    networks += 1;
    prefix = `/net${networks}`;
    cli = cliFor({
      NETCTL_ENDPOINTS: etcd.endpoints[0],
      NETCTL_ETCD_API: api,
      NETCTL_PREFIX: prefix,
    });
    nodes = await Promise.all(
      [1, 2, 3].map((number) =>
        startSshNode({
          folder: join(cli.home, `web${number}`),
          address: `192.0.2.${number}`,
          bridge: `10.1.2${number}.1`,
          awake: ['192.0.2.1', '192.0.2.2', '192.0.2.3', '10.1.21.0', '10.1.22.0', '10.1.23.0'],
        }),
      ),
    );
    writeIdentity(join(cli.home, 'key'));
    write();
    await netctl('init-network', '10.1.0.0/16', '--backend', 'host-gw');
    for (const number of [1, 2, 3]) {
      lease(`10.1.2${number}.0/24`, `192.0.2.${number}`, 40_000);
      at(number).flanneld(`10.1.2${number}.0/24`);
    }
  });
  afterEach(async () => {
    await Promise.all(nodes.map((node) => node.close()));
    cli.remove();
  });

  const at = (number: number): SshNode => {
    const node = nodes[number - 1];
    if (node === undefined) throw new Error(`no web${number}`);
    return node;
  };
  const netctl = (...argv: readonly string[]) => cli.netctl(argv);
  const run = (...argv: readonly string[]) => netctl('subnets', ...argv);
  const lease = (subnet: string, publicIP: string, ttlSeconds: number) =>
    leaseLikeFlanneld(etcd, api, subnet, hostGw(publicIP), { ttlSeconds, prefix });
  const leases = async () =>
    documentOf('SubnetList', (await run('ls', '-o', 'json')).stdout).items.map(
      ({ subnet, publicIP }) => `${subnet} ${publicIP}`,
    );
  /** @param publicIPs of web1 to web3 @param more lines of further nodes */
  const write = (publicIPs: readonly string[] = ['192.0.2.1', '192.0.2.2', '192.0.2.3'], ...more: string[]) => {
    const lines = publicIPs.map(
      (publicIP, index) =>
        `  - { name: web${index + 1}, address: 127.0.0.1, publicIP: ${publicIP}, ssh: { port: ${nodes[index]?.port} } }`,
    );
    writeFileSync(
      join(cli.home, 'netctl.yaml'),
      [
        'ssh: { user: root, identityFile: key, hostKey: "off", connectTimeoutSeconds: 5 }',
        'nodes:',
        ...lines,
        ...more,
        '',
      ].join('\n'),
    );
  };
  const stillThree = ['10.1.21.0/24 192.0.2.1', '10.1.22.0/24 192.0.2.2', '10.1.23.0/24 192.0.2.3'];

  describe('release', () => {
    it('stops flanneld, then takes the lease', async () => {
      const { status, stderr } = await run('release', 'web1', '--yes');
      expect([status, stderr]).toEqual([0, '']);
      expect(at(1).told()).toEqual(['stop flanneld.service']);
      expect(await leases()).toEqual(stillThree.slice(1));
    });

    it('takes no lease of a flanneld that could not be stopped, also not the second one', async () => {
      lease('10.1.11.0/24', '192.0.2.1', 40_000);
      at(1).failStop();
      const { status, stderr } = await run('release', 'web1', '--yes');
      expect(stderr).toContain('Failed to stop');
      expect(status).toBe(5);
      expect(at(1).told()).toEqual(['stop flanneld.service']);
      expect(await leases()).toEqual(['10.1.11.0/24 192.0.2.1', ...stillThree]);
    });
  });

  describe('a run whose lock was broken while its question stood there', () => {
    it.each([
      ['release', 'web1'],
      ['rehome', '10.1.21.0/24', '--to', '192.0.2.11'],
    ])('does nothing: %s', async (...argv) => {
      if (argv[0] === 'rehome') write(['192.0.2.11', '192.0.2.2', '192.0.2.3']);
      const terminal = netctlOnTerminal(['subnets', ...argv], {
        home: cli.home,
        env: { NETCTL_ENDPOINTS: etcd.endpoints[0], NETCTL_ETCD_API: api, NETCTL_PREFIX: prefix },
      });
      try {
        await terminal.shows('Do this?');
        etcd.ctl([api === 'v2' ? 'rm' : 'del', `${prefix}-netctl/lock`], { api: api === 'v2' ? 2 : 3 });
        terminal.type('y\r');
        expect((await terminal.ended).status, terminal.shown()).toBe(6);
        expect(terminal.shown()).toContain('lock-lost');
      } finally {
        terminal.kill();
      }
      expect(at(1).told()).toEqual([]);
      expect(await leases()).toEqual(stillThree);
    });
  });

  describe('rehome', () => {
    it('stops flanneld, changes the address, and starts it', async () => {
      write(['192.0.2.11', '192.0.2.2', '192.0.2.3']);
      const { status, stderr } = await run('rehome', '10.1.21.0/24', '--to', '192.0.2.11', '--yes');
      expect([status, stderr]).toEqual([0, '']);
      expect(at(1).told()).toEqual(['stop flanneld.service', 'start flanneld.service']);
      expect(await leases()).toContain('10.1.21.0/24 192.0.2.11');
    });

    it('does not give the lease of one node of the inventory to another', async () => {
      for (const more of [[], ['--etcd-only']]) {
        const wrong = await run('rehome', '10.1.22.0/24', '--to', '192.0.2.3', '--yes', ...more);
        expect(wrong.stderr).toContain('(rehome-other-node;');
        expect(wrong.stderr).toContain('web2 (192.0.2.2)');
        expect(wrong.status).toBe(3);
      }
      expect([at(2).told(), at(3).told()]).toEqual([[], []]);
      expect(await leases()).toEqual(stillThree);
    });

    it('does not give a node a subnet when its own file names another one', async () => {
      // web2's address is known to nobody; web3's has changed.
      write(['192.0.2.1', '192.0.2.12', '192.0.2.13']);
      const wrong = await run('rehome', '10.1.22.0/24', '--to', '192.0.2.13', '--yes');
      expect(wrong.stderr).toContain('(rehome-other-node;');
      expect(wrong.stderr).toContain('10.1.23.0/24');
      expect(wrong.status).toBe(3);
      expect(at(3).told()).toEqual([]);
      expect(await leases()).toEqual(stillThree);
    });

    it('takes the subnet that it has by now for a left-over when --drop names it', async () => {
      write(['192.0.2.11', '192.0.2.2', '192.0.2.3']);
      lease('10.1.44.0/24', '192.0.2.11', 40_000);
      at(1).flanneld('10.1.44.0/24');
      const missing = await run('rehome', '10.1.21.0/24', '--to', '192.0.2.11', '--yes');
      expect(missing.stderr).toContain('--drop 10.1.44.0/24');
      const plan = await run('rehome', '10.1.21.0/24', '--to', '192.0.2.11', '--drop', '10.1.44.0/24', '--dry-run');
      expect(plan.stderr).not.toContain('rehome-other-node');
      expect(plan.status).toBe(0);
      expect(plan.stdout).toContain('10.1.44.0-24');
    });
  });

  it('rehome starts flanneld again also when its lock is gone after the lease was written', async () => {
    write(['192.0.2.11', '192.0.2.2', '192.0.2.3']);
    if (api === 'v3') {
      expect((await run('rehome', '10.1.21.0/24', '--to', '192.0.2.11', '--yes')).status).toBe(0);
    } else {
      const port = Number(new URL(etcd.endpoints[0]).port);
      // The lock, then the lease.
      const { status } = await killedAtWrite(['subnets', 'rehome', '10.1.21.0/24', '--to', '192.0.2.11', '--yes'], 4, {
        port,
        home: cli.home,
        env: { NETCTL_PREFIX: prefix },
        instead: () => etcd.ctl(['rm', `${prefix}-netctl/lock`], { api: 2 }),
      });
      expect(status).toBe(0);
    }
    expect(at(1).told()).toEqual(['stop flanneld.service', 'start flanneld.service']);
    expect(await leases()).toContain('10.1.21.0/24 192.0.2.11');
  });

  // From here on what is planned and done does not depend on the API.
  describeOnce('reclaim', () => {
    /** Neither its machine nor its overlay answers, and there is a day left: it may live all the same. */
    const silent = () => lease('10.1.29.0/24', '192.0.2.29', 80_000);
    const judge = async (...argv: readonly string[]) =>
      documentOf('SubnetReclaimList', (await run('reclaim', '10.1.29.0/24', ...argv, '-o', 'json')).stdout).items[0];

    it('takes a lease that no node of the inventory can have', async () => {
      silent();
      expect(await judge('--yes')).toMatchObject({ verdict: 'proven-gone', state: 'reclaimed' });
    });

    it.each([
      ['a host name', '  - { name: web9, address: web9.invalid }'],
      ['an address of its management', '  - { name: web9, address: 127.0.9.9, iface: eth1, ssh: { port: 1 } }'],
      ['its former address', '  - { name: web9, address: 127.0.9.9, publicIP: 192.0.2.99, ssh: { port: 1 } }'],
      [
        'its former address, whose lease is still there',
        '  - { name: web9, address: 127.0.9.9, publicIP: 192.0.2.88, ssh: { port: 1 } }',
      ],
    ])(
      'leaves it when a node that does not answer may have it, of which the inventory knows %s',
      async (_what, line) => {
        // Nobody has written it since the lease in question was made: its node may have moved on.
        lease('10.1.88.0/24', '192.0.2.88', 40_000);
        silent();
        write(undefined, line);
        const item = await judge('--yes');
        expect(item).toMatchObject({ verdict: 'not-proven', state: 'left' });
        expect(item?.why).toContain('it may be of web9, which could not be asked');
        expect(await leases()).toContain('10.1.29.0/24 192.0.2.29');
      },
    );

    it('leaves a lease that was made a moment ago for a node that has no flanneld yet, and says for how long', async () => {
      const folder = join(cli.home, 'web4');
      mkdirSync(folder);
      const fresh = await startSshNode({ folder, address: '192.0.2.4', hasUnit: false });
      try {
        write(undefined, `  - { name: web4, address: 127.0.0.1, publicIP: 192.0.2.4, ssh: { port: ${fresh.port} } }`);
        lease('10.1.24.0/24', '192.0.2.4', 86_400 - 180);
        const { status, stdout } = await run('reclaim', '10.1.24.0/24', '--yes');
        expect(status).toBe(3);
        expect(stdout).toContain('left: not proven gone');
        expect(stdout.replaceAll(/\s+/g, ' ')).toContain(
          'it was written 3 min ago, or etcd elected a leader: its node may be being set up or booting. Wait 2',
        );
        expect(stdout).toContain('netctl subnets release web4');
        expect(await leases()).toContain('10.1.24.0/24 192.0.2.4');
        expect((await run('release', 'web4', '--yes')).status).toBe(0);
        lease('10.1.24.0/24', '192.0.2.4', 80_000);
        expect((await run('reclaim', '10.1.24.0/24', '--yes')).status).toBe(0);
        expect(await leases()).toEqual(stillThree);
      } finally {
        await fresh.close();
      }
    });
  });

  describeOnce('while the question of one stands there', () => {
    const question = (argv: readonly string[]) =>
      netctlOnTerminal(['subnets', ...argv], {
        home: cli.home,
        env: { NETCTL_ENDPOINTS: etcd.endpoints[0], NETCTL_ETCD_API: api, NETCTL_PREFIX: prefix },
      });

    it('another one reserves the lease: it is not reclaimed', async () => {
      lease('10.1.29.0/24', '192.0.2.29', 1500);
      const terminal = question(['reclaim', '10.1.29.0/24']);
      try {
        await terminal.shows('Take this lease away?');
        // Held already: only the record is written, and the key of the lease stays as it was read.
        etcd.ctl(
          [
            api === 'v2' ? 'set' : 'put',
            `${prefix}-netctl/reservations/10.1.29.0-24`,
            '{"apiVersion":"netctl/v1","kind":"Reservation","subnet":"10.1.29.0/24","publicIP":"192.0.2.29"}',
          ],
          { api: api === 'v2' ? 2 : 3 },
        );
        terminal.type('y\r');
        expect((await terminal.ended).status, terminal.shown()).toBe(3);
        expect(terminal.shown()).toContain('left: it is kept');
      } finally {
        terminal.kill();
      }
      expect(await leases()).toContain('10.1.29.0/24 192.0.2.29');
      expect((await run('undo', '-o', 'json')).stdout).not.toContain('10.1.29.0');
    });

    it('its node takes another subnet: undo does not give it a second one', async () => {
      lease('10.1.29.0/24', '192.0.2.29', 1500);
      expect((await run('reclaim', '10.1.29.0/24', '--yes')).status).toBe(0);
      const terminal = question(['undo', '10.1.29.0/24']);
      try {
        await terminal.shows('Put this back?');
        lease('10.1.30.0/24', '192.0.2.29', 86_400);
        terminal.type('y\r');
        expect((await terminal.ended).status, terminal.shown()).toBe(6);
        expect(terminal.shown()).toContain('192.0.2.29 has 10.1.30.0/24');
      } finally {
        terminal.kill();
      }
      expect(await leases()).toEqual([...stillThree, '10.1.30.0/24 192.0.2.29']);
    });
  });

  itOnce('undo of two leases that a node had one after the other brings one back', async () => {
    for (const subnet of ['10.1.28.0/24', '10.1.29.0/24']) {
      lease(subnet, '192.0.2.29', 1500);
      expect((await run('reclaim', subnet, '--yes')).status).toBe(0);
    }
    const { status, stdout } = await run('undo', '10.1.28.0/24', '10.1.29.0/24', '--yes');
    expect(status).toBe(3);
    expect(stdout).toContain('192.0.2.29 has 10.1.28.0/24 by now');
    expect(await leases()).toEqual([...stillThree, '10.1.28.0/24 192.0.2.29']);
  });
});

describe('netctl subnets rehome killed at every write', () => {
  it('is finished by the same command, run again', async () => {
    const etcd = await startEtcd();
    const cli = cliFor({ NETCTL_ETCD_API: 'v2', NETCTL_ENDPOINTS: etcd.endpoints[0] });
    const port = Number(new URL(etcd.endpoints[0]).port);
    const move = ['10.1.21.0/24', '--to', '192.0.2.11', '--drop', '10.1.44.0/24', '--etcd-only', '--yes'];
    let writes = 0;
    try {
      for (let kill = 1; ; kill += 1) {
        const prefix = `/killed${kill}`;
        const env = { NETCTL_PREFIX: prefix };
        const run = (...argv: readonly string[]) => cli.netctl(['subnets', ...argv], { env });
        await cli.netctl(['init-network', '10.1.0.0/16', '--backend', 'host-gw'], { env });
        leaseLikeFlanneld(etcd, 'v2', '10.1.21.0/24', hostGw('192.0.2.1'), { prefix });
        await run('reserve', '10.1.21.0/24', '--public-ip', '192.0.2.1', '--yes');
        leaseLikeFlanneld(etcd, 'v2', '10.1.44.0/24', hostGw('192.0.2.11'), { prefix });
        const cut = await killedAtWrite(['subnets', 'rehome', ...move], kill, { port, home: cli.home, env });
        writes = Math.max(writes, cut.writes);

        const again = await run('rehome', ...move, '--break-lock');
        expect(again.status, `moment ${kill}: ${again.stdout}${again.stderr}`).toBe(0);
        const { items } = documentOf('SubnetList', (await run('ls', '-o', 'json')).stdout);
        expect(items).toMatchObject([{ subnet: '10.1.21.0/24', publicIP: '192.0.2.11' }]);
        const { items: kept } = documentOf('ReservationList', (await run('reservations', '-o', 'json')).stdout);
        expect(kept).toMatchObject([{ subnet: '10.1.21.0/24', publicIP: '192.0.2.11', state: 'held' }]);
        expect((await run('undo', '-o', 'json')).stdout).toContain('10.1.44.0/24');
        if (!cut.wasKilled) break;
      }
      // The lock, the record of what is dropped, that itself, the reservation, the lease, the lock again.
      expect(writes).toBe(6);
    } finally {
      cli.remove();
      await etcd.stop();
    }
  }, 120_000);
});
