import type { ListView } from '../../src/lib/view/list';

/** A list like that of `subnets ls`: nine columns, some of them numbers, one that may be long. */
export interface Row {
  readonly subnet: string;
  readonly publicIp: string;
  readonly node: string | null;
  readonly backend: string;
  readonly mac: string | null;
  readonly vni: number | null;
  readonly ttl: string;
  readonly kind: string;
  readonly problem: string | null;
}

export const subnetView: ListView<Row> = {
  kind: 'SubnetList',
  columns: [
    { header: 'SUBNET', cell: (row) => row.subnet },
    { header: 'PUBLIC IP', cell: (row) => row.publicIp },
    { header: 'NODE', cell: (row) => row.node, shrink: true },
    { header: 'BACKEND', cell: (row) => row.backend, drop: 2 },
    { header: 'VTEP MAC', cell: (row) => row.mac, drop: 4 },
    { header: 'VNI', cell: (row) => row.vni, align: 'right', drop: 3 },
    { header: 'EXPIRES', cell: (row) => row.ttl, align: 'right' },
    { header: 'KIND', cell: (row) => row.kind, wideOnly: true },
    {
      header: 'PROBLEM',
      cell: (row) => (row.problem === null ? null : { text: row.problem, tone: 'bad' }),
      csv: (row) => row.problem,
      drop: 1,
      shrink: true,
    },
  ],
  name: (row) => row.subnet,
  empty: 'No subnets under /coreos.com/network.',
};

export const rows: readonly Row[] = [
  {
    subnet: '10.1.15.0/24',
    publicIp: '192.168.0.11',
    node: 'node-a',
    backend: 'vxlan',
    mac: '82:4b:b6:2f:54:4e',
    vni: 1,
    ttl: '23h58m',
    kind: 'lease',
    problem: null,
  },
  {
    subnet: '10.1.16.0/24',
    publicIp: '192.168.0.112',
    node: '測試節點-東京',
    backend: 'host-gw',
    mac: null,
    vni: null,
    ttl: 'never',
    kind: 'permanent',
    problem: 'same public IP as 10.1.77.0/24',
  },
  {
    subnet: '10.1.77.0/24',
    publicIp: '192.168.0.112',
    node: 'a-node-with-a-name-that-somebody-made-much-too-long.rack-17.example.internal',
    backend: 'vxlan',
    mac: '0e:12:7f:4a:9d:01',
    vni: 4096,
    ttl: '59s',
    kind: 'lease',
    problem: '\x1b[2J\x1b]0;owned\x07 evil \u202egnp.exe 😀',
  },
];

export function manyRows(count: number): readonly Row[] {
  return Array.from({ length: count }, (_none, index) => {
    const high = Math.floor(index / 256) % 256;
    return {
      subnet: `10.${high}.${index % 256}.0/24`,
      publicIp: `172.16.${high}.${index % 256}`,
      node: `node-${index}`,
      backend: 'vxlan',
      mac: `82:4b:b6:2f:${high.toString(16).padStart(2, '0')}:${(index % 256).toString(16).padStart(2, '0')}`,
      vni: 1,
      ttl: `${index % 24}h${index % 60}m`,
      kind: 'lease',
      problem: index % 1_000 === 0 ? 'overdue' : null,
    };
  });
}
