import type { Layout } from '../plan/capacity';
import { formatCount } from './count';
import type { ListView } from './list';

export const layoutListView: ListView<Layout> = {
  kind: 'NetworkLayoutList',
  name: (row) => row.network,
  empty: 'No layout fits.',
  columns: [
    { header: 'NETWORK', cell: (row) => (row.recommended ? { text: row.network, tone: 'good' } : row.network) },
    { header: 'SUBNETLEN', cell: (row) => `/${row.subnetLen}`, csv: (row) => row.subnetLen, align: 'right' },
    { header: 'SUBNETS', cell: (row) => formatCount(row.subnets), csv: (row) => row.subnets, align: 'right', drop: 0 },
    { header: 'NEEDED', cell: (row) => formatCount(row.needed), csv: (row) => row.needed, align: 'right', drop: 2 },
    { header: 'SPARE', cell: (row) => formatCount(row.spare), csv: (row) => row.spare, align: 'right', drop: 1 },
    {
      header: 'CONTAINERS',
      cell: (row) => formatCount(row.containersPerNode),
      csv: (row) => row.containersPerNode,
      align: 'right',
    },
    { header: 'NOTE', cell: (row) => (row.recommended ? `recommended; ${row.note}` : row.note), shrink: true, drop: 3 },
    { header: 'COMMAND', cell: (row) => row.command, wideOnly: true },
  ],
};
