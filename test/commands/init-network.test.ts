import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { cliFor } from '../support/cli';
import { type Etcd, startEtcd } from '../support/etcd';
import { hostGw, leaseLikeFlanneld, prefix } from '../support/flannel-leases';

describe.each(['v3', 'v2'] as const)('netctl init-network on etcd %s', (api) => {
  let etcd: Etcd;
  let cli: ReturnType<typeof cliFor>;
  const stored = (key = `${prefix}/config`): string =>
    api === 'v3'
      ? etcd.ctl(['get', '--print-value-only', key]).trimEnd()
      : etcd.ctl(['get', key], { api: 2 }).trimEnd();
  const wipe = (): void => {
    if (api === 'v3') etcd.ctl(['del', '--prefix', '/']);
    else for (const dir of ['/coreos.com']) silently(() => etcd.ctl(['rm', '--recursive', dir], { api: 2 }));
  };
  const silently = (work: () => void): void => {
    try {
      work();
    } catch {
      // There is nothing to remove yet.
    }
  };

  beforeAll(async () => {
    etcd = await startEtcd();
    cli = cliFor({ NETCTL_ENDPOINTS: etcd.endpoints[0], NETCTL_ETCD_API: api });
  });
  beforeEach(wipe);
  afterAll(async () => {
    cli.remove();
    await etcd.stop();
  });

  it('writes the config in exact case with a Backend, and says what the network is', async () => {
    const run = await cli.netctl(['init-network', '10.1.0.0/16', '--backend', 'host-gw']);
    expect(run).toMatchObject({ status: 0 });
    expect(stored()).toBe('{"Network":"10.1.0.0/16","Backend":{"Type":"host-gw"}}');
    expect(run.stdout).toContain(`config:    ${prefix}/config, etcd ${api}`);
    expect(run.stdout).toContain('255 subnets of /24, 10.1.1.0/24 to 10.1.255.0/24');
    expect(run.stdout).toContain('256 addresses, room for 253 containers');
    expect(run.stdout).toContain('1500 in containers');
  });

  it('names vxlan when no backend is given, for flanneld would take udp', async () => {
    await cli.netctl(['init-network', '10.1.0.0/16']);
    expect(stored()).toBe('{"Network":"10.1.0.0/16","Backend":{"Type":"vxlan"}}');
  });

  it('is unchanged the second time, also when the text differs and the meaning does not', async () => {
    const wish = ['init-network', '10.1.0.0/16', '--backend', 'vxlan', '--subnet-len', '24'];
    await cli.netctl(wish);
    const first = stored();
    expect(await cli.json(wish)).toMatchObject({ kind: 'NetworkChange', state: 'unchanged' });
    expect(await cli.json(['init-network', '10.1.0.0/16'])).toMatchObject({ state: 'unchanged' });
    expect(stored()).toBe(first);
  });

  it('takes a file, writes it in exact case, and refuses one with a misspelt key', async () => {
    const file = join(cli.home, 'net.json');
    writeFileSync(
      file,
      '{"network": "10.0.0.0/16",\n "subnetmin": "10.0.1.0", "backend": {"type": "VXLAN", "directrouting": true}}',
    );
    expect(await cli.netctl(['init-network', '--file', file])).toMatchObject({ status: 0 });
    expect(stored()).toBe(
      '{"Network":"10.0.0.0/16","SubnetMin":"10.0.1.0","Backend":{"Type":"vxlan","DirectRouting":true}}',
    );
    const run = await cli.netctl(['init-network', '--file', '-'], {
      stdin: '{"Network":"10.0.0.0/16","SudbnetMax":"10.0.20.0","Backend":{"Type":"vxlan"}}',
    });
    expect(run.status).toBe(2);
    expect(run.stderr).toContain('misspelt-key');
    expect(run.stderr).toContain('Write it as SubnetMax');
  });

  it('writes nothing with --dry-run', async () => {
    const run = await cli.netctl(['init-network', '10.1.0.0/16', '--dry-run']);
    expect(run).toMatchObject({ status: 0, stderr: expect.stringContaining('nothing was written') });
    expect(run.stdout).toContain('would be created');
    expect(() => stored()).toSatisfy((get: () => string) => {
      try {
        return get() === '';
      } catch {
        return true;
      }
    });
  });

  it('refuses what flanneld would refuse, with its words and the corrected form', async () => {
    const run = await cli.netctl(['init-network', '10.1.0.0/16', '--subnet-len', '17']);
    expect(run.status).toBe(2);
    expect(run.stderr).toMatch(/[Nn]etwork must be able to accommodate at least four subnets/);
    expect(run.stderr).toContain('"SubnetLen": 18 or more');
  });

  it('shows a change of a network in use, refuses it, and makes it with --force --yes, keeping the one before', async () => {
    await cli.netctl(['init-network', '10.1.0.0/16', '--backend', 'host-gw']);
    const before = stored();
    leaseLikeFlanneld(etcd, api, '10.1.20.0/24', hostGw('192.168.0.7'));
    leaseLikeFlanneld(etcd, api, '10.1.99.0/24', hostGw('192.168.0.8'));
    const wish = ['init-network', '10.1.0.0/16', '--backend', 'host-gw', '--subnet-max', '10.1.50.0'];

    const refused = await cli.netctl(wish);
    expect(refused.status).toBe(3);
    expect(refused.stdout).toMatch(/10\.1\.20\.0\/24: +192\.168\.0\.7 {2}kept/);
    expect(refused.stdout).toMatch(/10\.1\.99\.0\/24: +192\.168\.0\.8 {2}lost: outside SubnetMin\.\.SubnetMax/);
    expect(refused.stderr).toContain('network-in-use');
    expect(stored()).toBe(before);

    const unconfirmed = await cli.netctl([...wish, '--force']);
    expect(unconfirmed).toMatchObject({ status: 3, stderr: expect.stringContaining('not-confirmed') });
    expect(stored()).toBe(before);

    expect(await cli.json([...wish, '--force', '--yes'])).toMatchObject({
      state: 'changed',
      impact: 'outage',
      counts: { leases: 2, kept: 1, lost: 1 },
    });
    const after = stored();
    expect(after).toBe('{"Network":"10.1.0.0/16","SubnetMax":"10.1.50.0","Backend":{"Type":"host-gw"}}');

    const history = await cli.json(['network', 'history']);
    expect(history['items']).toMatchObject([
      { state: 'current', config: after },
      { state: 'replaced', config: before, command: 'netctl init-network' },
    ]);

    // Wider again: nobody loses anything, so --yes is enough.
    expect(await cli.json(['network', 'rollback', '--yes'])).toMatchObject({ state: 'changed' });
    expect(stored()).toBe(before);
    expect(await cli.netctl(['network', 'rollback', '99999', '--yes'])).toMatchObject({ status: 2 });
  });

  it('takes the network of the inventory when none is named', async () => {
    writeFileSync(
      join(cli.home, 'netctl.yaml'),
      'network:\n  cidr: 10.9.0.0/16\n  backend: { type: vxlan, options: { DirectRouting: true } }\n',
    );
    expect(await cli.netctl(['init-network'])).toMatchObject({ status: 0 });
    expect(stored()).toBe('{"Network":"10.9.0.0/16","Backend":{"Type":"vxlan","DirectRouting":true}}');
  });

  it('of two that write at once one wins and the other is told', async () => {
    const runs = await Promise.all(
      Array.from({ length: 6 }, (_, index) => cli.netctl(['init-network', `10.${index + 1}.0.0/16`])),
    );
    const won = runs.filter(({ status }) => status === 0);
    expect(won).toHaveLength(1);
    for (const { status } of runs) expect([0, 3, 6]).toContain(status);
    expect(won[0]?.stdout).toContain(JSON.parse(stored()).Network);
  });
});

describe('netctl init-network and secrets', () => {
  it('does not take a pre-shared key from the command line, and never prints one', async () => {
    const etcd = await startEtcd();
    const cli = cliFor({ NETCTL_ENDPOINTS: etcd.endpoints[0] });
    const psk = Buffer.alloc(32, 7).toString('base64');
    try {
      const argv = ['init-network', '10.1.0.0/16', '--backend', 'wireguard', '--backend-option', `PSK=${psk}`];
      expect(await cli.netctl(argv)).toMatchObject({ status: 2, stderr: expect.stringContaining('secret-on-argv') });
      const text = JSON.stringify({ Network: '10.1.0.0/16', Backend: { Type: 'wireguard', psk } });
      const outputs: string[] = [];
      for (const words of [
        ['init-network', '--file', '-'],
        ['network', 'show', '-o', 'json'],
        ['network', 'validate', '--live'],
        ['network', 'history'],
        ['init-network', '10.2.0.0/16', '--dry-run', '-o', 'yaml'],
      ]) {
        const run = await cli.netctl(words, { stdin: text });
        expect(run.status).toBe(0);
        outputs.push(run.stdout, run.stderr);
      }
      expect(etcd.ctl(['get', '--print-value-only', `${prefix}/config`])).toContain(psk);
      for (const output of outputs) expect(output).not.toContain(psk);
    } finally {
      cli.remove();
      await etcd.stop();
    }
  });
});
