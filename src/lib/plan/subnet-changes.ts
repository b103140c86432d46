import type { SubnetRow } from '../net/subnet-query';

/** What became of a subnet between two looks. `renewed`: the same lease under a new time to live. */
export interface SubnetChange {
  readonly type: 'added' | 'changed' | 'renewed' | 'deleted';
  readonly row: SubnetRow;
}

/** The differences between two lists of rows, those that went first. Rows are told apart by their key. */
export function subnetChanges(before: readonly SubnetRow[], after: readonly SubnetRow[]): readonly SubnetChange[] {
  const known = new Map(before.map((row) => [row.lease.key, row]));
  const rest = new Set(known.keys());
  const changes: SubnetChange[] = [];
  for (const row of after) {
    const was = known.get(row.lease.key);
    rest.delete(row.lease.key);
    if (was === undefined) changes.push({ type: 'added', row });
    else if (was.lease.revision !== row.lease.revision) {
      changes.push({ type: sameOwner(was, row) ? 'renewed' : 'changed', row });
    }
  }
  const gone = before.flatMap((row): SubnetChange[] => (rest.has(row.lease.key) ? [{ type: 'deleted', row }] : []));
  return [...gone, ...changes];
}

function sameOwner(a: SubnetRow, b: SubnetRow): boolean {
  return (
    a.lease.publicIP === b.lease.publicIP &&
    a.lease.publicIPv6 === b.lease.publicIPv6 &&
    a.lease.backendType === b.lease.backendType &&
    a.lease.permanent === b.lease.permanent &&
    JSON.stringify(a.lease.backendData) === JSON.stringify(b.lease.backendData)
  );
}
