import { describe, expect, it } from 'vitest';
import { checkLeases } from '../../src/lib/check/leases';
import { reviewConfig } from '../../src/lib/check/network-config';
import { subnetRows } from '../../src/lib/check/subnet-rows';
import { newestFlannel } from '../../src/lib/net/flannel-version';
import { readLeases } from '../../src/lib/net/lease';
import { judgeConfig } from '../../src/lib/net/network-config';
import { capacityOf, planCapacity } from '../../src/lib/plan/capacity';
import { planSetNetwork } from '../../src/lib/plan/set-network';
import type { Entry, Snapshot } from '../../src/lib/store/store';
import { layoutListView } from '../../src/lib/view/layout-list';
import { renderList } from '../../src/lib/view/list';
import { networkView } from '../../src/lib/view/network';
import { networkChangeDocument, networkChangeView } from '../../src/lib/view/network-change';
import { historyItem, networkHistoryView } from '../../src/lib/view/network-history';
import { networkValidationView } from '../../src/lib/view/network-validation';
import { renderBootstrap } from '../../src/lib/view/node-bootstrap-text';
import { renderProblems } from '../../src/lib/view/problem';
import { renderRecord } from '../../src/lib/view/record';
import { subnetCheckView } from '../../src/lib/view/subnet-check';
import { subnetItem } from '../../src/lib/view/subnet-item';
import { subnetListView } from '../../src/lib/view/subnet-list';
import { expectGolden, screens } from './screens';

// The views of whole commands, as they look on every screen. UPDATE_GOLDEN=1 writes test/view/golden/.

const prefix = '/coreos.com/network';
const version = newestFlannel;
let revision = 1;
function entry(key: string, value: string, more: Partial<Entry> = {}): Entry {
  revision += 1;
  return {
    key: `${prefix}/${key}`,
    value: Buffer.from(value),
    revision: String(revision),
    createdRevision: String(revision),
    permanent: false,
    leaseId: `694d81417acd47${(revision % 256).toString(16).padStart(2, '0')}`,
    ...more,
  };
}

const config = entry('config', '{"Network":"10.1.0.0/16","Backend":{"Type":"vxlan"}}', { permanent: true });
const snapshot: Snapshot = {
  api: 'v3',
  clusterId: 'cdf818194e3a8c32',
  revision: '41',
  endpoint: 'http://10.4.7.12:2379',
  entries: [
    config,
    entry(
      'subnets/10.1.21.0-24',
      '{"PublicIP":"10.4.7.21","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"4e:75:5c:b8:d8:8e"}}',
    ),
    entry('subnets/10.1.22.0-24', '{"PublicIP":"10.4.7.22","PublicIPv6":null,"BackendType":"host-gw"}'),
    entry('subnets/10.1.23.0-24', '{"PublicIP":"10.0.2.15"}', { permanent: true }),
    entry('subnets/10.1.24.0-24', `${prefix}/subnets/10.1.24.0-24`),
  ],
};
const nodes = [
  { name: 'hdss7-21', address: '10.4.7.21', publicIP: '10.4.7.21' },
  { name: 'hdss7-22', address: '10.4.7.22', publicIP: '10.4.7.22' },
];
const reading = readLeases(snapshot, prefix, version);
const ttls = new Map(reading.leases.map(({ key }, index) => [key, index === 1 ? 1200 : 86_000]));
const effective = judgeConfig(config.value, version).effective;
if (effective === null) throw new Error('the config is not accepted');
const problems = checkLeases({ api: 'v3', prefix, version, reading, effective, nodes, ttls });

async function text(chunks: Iterable<string> | Promise<Iterable<string>>): Promise<string> {
  return [...(await chunks)].join('');
}

describe.each(screens)('on %s', (name, screen) => {
  it('the list of subnets looks as it always did', async () => {
    const rows = subnetRows(reading.leases, nodes, problems, ttls).map((row) => subnetItem(row));
    expectGolden(`subnets-ls-${name}`, await text(renderList(rows, subnetListView(true, 'none'), 'table', screen)));
  });

  it('the check of subnets looks as it always did', async () => {
    const [value, view] = subnetCheckView({
      prefix,
      api: 'v3',
      clusterId: snapshot.clusterId,
      revision: snapshot.revision,
      flannel: version.tag,
      leases: reading.leases.length,
      ttlAsked: true,
      problems,
      look: null,
    });
    const head = await text(renderRecord(value, view, 'table', screen));
    expectGolden(`subnets-check-${name}`, `${head}\n${await renderProblems(problems, screen)}`);
  });

  it('the network looks as it always did', async () => {
    const review = reviewConfig(config.value, version, { avoid: [] });
    const [value, view] = networkView(
      {
        prefix,
        api: 'v3',
        endpoint: snapshot.endpoint,
        clusterId: snapshot.clusterId,
        revision: config.revision,
        config: config.value,
        verdict: review.verdict,
        capacity: capacityOf(effective, reading.leases),
        leases: reading.leases.length,
        problems: review.problems,
      },
      version,
    );
    expectGolden(`network-show-${name}`, await text(renderRecord(value, view, 'table', screen)));
  });

  it('the verdict on a config looks as it always did', async () => {
    const review = reviewConfig('{"Network":"10.0.0.0/8","SudbnetMax":"10.0.20.0"}', version, { avoid: [] });
    const [value, view] = networkValidationView(review, version);
    const head = await text(renderRecord(value, view, 'table', screen));
    expectGolden(`network-validate-${name}`, `${head}\n${await renderProblems(review.problems, screen)}`);
  });

  it('a change of the network looks as it always did', async () => {
    const wish = Buffer.from('{"Network":"10.1.0.0/16","SubnetMax":"10.1.22.0","Backend":{"Type":"host-gw"}}');
    const plan = planSetNetwork(
      { prefix, snapshot, history: { ...snapshot, entries: [] } },
      {
        text: wish,
        exact: false,
        version,
        nodes,
        now: new Date(0),
        who: 'ops@workstation',
        command: 'netctl init-network',
      },
    );
    const document = networkChangeDocument({
      plan,
      text: wish,
      applied: false,
      prefix,
      api: 'v3',
      version,
      revision: config.revision,
      problems: [],
    });
    expectGolden(
      `network-change-${name}`,
      await text(renderRecord(document, networkChangeView(version), 'table', screen)),
    );
  });

  it('the history and the layouts look as they always did', async () => {
    const record = {
      revision: '7',
      config: Buffer.from('{"Network":"10.1.0.0/16","Backend":{"Type":"wireguard","PSK":"c2VjcmV0"}}'),
      replacedAt: '2026-11-20T10:00:00.000Z',
      replacedBy: 'ops@workstation',
      command: 'netctl init-network',
    };
    const history = [historyItem(record, judgeConfig(record.config, version))];
    const shown = await text(renderList(history, networkHistoryView, 'table', screen));
    expect(shown).not.toContain('c2VjcmV0');
    const layouts = planCapacity({ nodes: 40, containersPerNode: 100, churnPerDay: 20 });
    expectGolden(
      `network-history-plan-${name}`,
      `${shown}\n${await text(renderList(layouts, layoutListView, 'table', screen))}`,
    );
  });

  it('a bootstrap looks as it always did', async () => {
    const document = {
      prefix,
      flannel: 'v0.28.9',
      archive: 'flannel-v0.28.9-linux-amd64.tar.gz',
      applied: false,
      problems: [],
      items: [
        {
          name: 'node1',
          state: 'planned' as const,
          subnet: '10.1.21.0/24',
          error: null,
          problems: [
            {
              code: 'clock-skew',
              severity: 'warning' as const,
              path: 'clock',
              message: 'its clock is 40 s behind',
              suggestion: 'Run chrony.',
            },
          ],
          steps: [
            {
              title: 'flannel v0.28.9',
              mind: ['Docker is restarted'],
              changes: [
                {
                  kind: 'write' as const,
                  what: '/etc/default/flanneld',
                  why: 'how flanneld is to run',
                  before: 'A=1\n',
                  after: 'A=2\n',
                },
                { kind: 'write' as const, what: '/etc/new', why: 'is new', before: '', after: 'x\n'.repeat(40) },
                {
                  kind: 'run' as const,
                  what: 'systemctl restart flanneld.service',
                  why: 'flanneld starts',
                  before: null,
                  after: null,
                },
              ],
            },
          ],
        },
        { name: 'node2', state: 'unchanged' as const, subnet: '10.1.22.0/24', error: null, problems: [], steps: [] },
        {
          name: 'node3',
          state: 'unreachable' as const,
          subnet: null,
          error: 'node3: refused',
          problems: [],
          steps: [],
        },
      ],
    };
    expectGolden(`node-bootstrap-${name}`, (await renderBootstrap(document, screen, true)).join(''));
  });
});
