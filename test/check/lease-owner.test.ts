import { describe, expect, it } from 'vitest';
import { ownerJudge, runsForKubernetes } from '../../src/lib/check/lease-owner';
import { known, unknown } from '../../src/lib/fact/fact';
import type { LeaseOwnerSeen } from '../../src/lib/fact/lease-owner-facts';
import type { Process } from '../../src/lib/fact/processes';
import { parseFlannelVersion } from '../../src/lib/net/flannel-version';
import { type Lease, readLease } from '../../src/lib/net/lease';
import { parseSubnetEnv } from '../../src/lib/net/subnet-env';
import { link, unit } from '../support/node-seen';

const prefix = '/coreos.com/network';
const subnetFile = '/run/flannel/subnet.env';

function leaseOf(subnet: string, publicIP: string): Lease {
  const value = Buffer.from(JSON.stringify({ PublicIP: publicIP, BackendType: 'host-gw' }));
  const key = `${prefix}/subnets/${subnet.replace('/', '-')}`;
  const lease = readLease(
    { key, value, revision: '7', createdRevision: '7', permanent: false },
    prefix,
    parseFlannelVersion('v0.28.9'),
  );
  if ('reason' in lease) throw new Error(lease.reason);
  return lease;
}

const lease = leaseOf('172.7.22.0/24', '10.4.7.22');
const other = leaseOf('172.7.77.0/24', '10.4.7.22');

function flanneld(change: Partial<Process> = {}): Process {
  return {
    pid: 100,
    uid: 0,
    program: '/opt/flannel/flanneld',
    isReplaced: false,
    words: ['/opt/flannel/flanneld', '--iface=eth0'],
    environment: new Map(),
    startedAtSeconds: 1000,
    isInHostsNamespace: true,
    ...change,
  };
}

function env(subnet: string, modifiedAtSeconds = 1001): LeaseOwnerSeen['subnetEnv'] {
  const reading = parseSubnetEnv(`FLANNEL_NETWORK=172.7.0.0/16\nFLANNEL_SUBNET=${subnet}\nFLANNEL_MTU=1500\n`);
  return known({ present: true, reading, modifiedAtSeconds });
}

/** 10.4.7.22 without anything of flannel. */
function machine(change: Partial<LeaseOwnerSeen> = {}): LeaseOwnerSeen {
  return {
    links: known([
      link('lo', ['127.0.0.1/8'], { isLoopback: true }),
      link('eth0', ['10.4.7.22/24']),
      link('docker0', ['172.17.0.1/16'], { kind: 'bridge' }),
    ]),
    flanneld: known([]),
    subnetEnv: known({ present: false }),
    units: known(
      new Map(
        ['flanneld.service', 'flannel.service'].map((name) => [
          name,
          unit(name, { isFound: false, loadState: 'not-found', activeState: 'inactive', unitFileState: '' }),
        ]),
      ),
    ),
    supervisor: known({ isInstalled: false, isRunning: false, configPath: null, programFiles: [], programs: [] }),
    ...change,
  };
}

const judge = (change: Partial<LeaseOwnerSeen> = {}, of: Lease = lease, network = prefix) =>
  ownerJudge(machine(change), { prefix: network, subnetFile, leases: [lease, other] })(of).kind;

const service = (change: Parameters<typeof unit>[1]) =>
  known(new Map([['flanneld.service', unit('flanneld.service', change)]]));
const bridge = known([link('eth0', ['10.4.7.22/24']), link('docker0', ['172.7.22.1/24'], { kind: 'bridge' })]);

describe('what a machine that SSH reached has to do with a lease', () => {
  it('it is gone when nothing of flannel is there', () => {
    expect(judge()).toBe('gone');
    expect(judge({ subnetEnv: env('172.7.77.1/24') })).toBe('gone');
    expect(judge({ units: service({ activeState: 'inactive', unitFileState: 'disabled' }) })).toBe('gone');
    expect(judge({ units: service({ activeState: 'inactive', loadState: 'masked', unitFileState: 'masked' }) })).toBe(
      'gone',
    );
  });

  it('its flanneld holds it', () => {
    expect(judge({ flanneld: known([flanneld()]), subnetEnv: env('172.7.22.1/24') })).toBe('holds');
    expect(judge({ flanneld: known([flanneld()]), links: bridge })).toBe('holds');
    // In a container of its own it is not to be overlooked.
    expect(judge({ flanneld: known([flanneld({ isInHostsNamespace: false })]), subnetEnv: env('172.7.22.1/24') })).toBe(
      'holds',
    );
  });

  it('its flanneld is stopped, and Docker still works with the subnet', () => {
    expect(judge({ links: bridge })).toBe('uses');
    expect(judge({ subnetEnv: env('172.7.22.1/24') })).toBe('uses');
    // Behind NAT its public IP is no address of the machine.
    expect(judge({ subnetEnv: env('172.7.22.1/24') }, leaseOf('172.7.22.0/24', '198.51.100.7'))).toBe('uses');
  });

  it('its flanneld would take it again', () => {
    expect(judge({ units: service({ activeState: 'inactive', unitFileState: 'enabled' }) })).toBe('may-start');
    expect(judge({ units: service({ activeState: 'inactive', unitFileState: 'static' }) })).toBe('may-start');
    expect(judge({ units: service({ activeState: 'activating', unitFileState: 'disabled' }) })).toBe('may-start');
    expect(judge({ flanneld: known([flanneld()]) })).toBe('may-start');
    // subnet.env is of the run before.
    expect(judge({ flanneld: known([flanneld()]), subnetEnv: env('172.7.77.1/24', 10) })).toBe('may-start');
    const programs = [{ name: 'flanneld-7-22', state: 'STOPPED', pid: null, note: '' }];
    expect(
      judge({
        supervisor: known({ isInstalled: true, isRunning: true, configPath: null, programFiles: [], programs }),
      }),
    ).toBe('may-start');
  });

  it('its flanneld holds another subnet, which etcd confirms', () => {
    expect(judge({ flanneld: known([flanneld()]), subnetEnv: env('172.7.77.1/24') })).toBe('other');
    expect(judge({ flanneld: known([flanneld()]), subnetEnv: env('172.7.99.1/24') })).toBe('unclear');
  });

  it('it is another machine', () => {
    expect(judge({}, leaseOf('172.7.23.0/24', '10.4.7.23'))).toBe('not-its-machine');
    expect(judge({}, leaseOf('172.7.23.0/24', '127.0.0.1'))).toBe('not-its-machine');
  });

  it('it cannot be told', () => {
    const why = unknown('permission denied');
    expect(judge({ links: why })).toBe('unclear');
    expect(judge({ flanneld: why })).toBe('unclear');
    expect(judge({ subnetEnv: why })).toBe('unclear');
    expect(judge({ units: why })).toBe('unclear');
    expect(judge({ supervisor: why })).toBe('unclear');
    const elsewhere = flanneld({ words: ['/opt/flannel/flanneld', '--subnet-file=/elsewhere'] });
    expect(judge({ flanneld: known([elsewhere]) })).toBe('unclear');
  });

  it('a flanneld of another network says nothing of this one', () => {
    const blue = flanneld({ words: ['flanneld', '--etcd-prefix', '/blue/network'] });
    expect(judge({ flanneld: known([blue]) })).toBe('gone');
    expect(judge({ flanneld: known([blue]), subnetEnv: env('172.7.77.1/24') }, lease, '/blue/network')).toBe('other');
    // Whose it is cannot be seen: it may be ours.
    const hidden = flanneld({ environment: null });
    expect(judge({ flanneld: known([hidden]) }, lease, '/blue/network')).toBe('may-start');
    const newer = flanneld({ words: ['flanneld', '--flag-of-tomorrow', '--etcd-prefix=/red'] });
    expect(judge({ flanneld: known([newer]) })).toBe('may-start');
  });

  it('one that keeps its leases in Kubernetes is none of ours', () => {
    const words = ['/opt/bin/flanneld', '--ip-masq', '--kube-subnet-mgr'];
    expect(runsForKubernetes(machine({ flanneld: known([flanneld({ words })]) }))).toBe(true);
    expect(runsForKubernetes(machine({ flanneld: known([flanneld()]) }))).toBe(false);
    expect(
      runsForKubernetes(
        machine({ flanneld: known([flanneld({ environment: new Map([['FLANNELD_KUBE_SUBNET_MGR', 'true']]) })]) }),
      ),
    ).toBe(true);
  });
});
