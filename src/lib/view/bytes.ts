import { formatCount } from './count';

const units = ['KiB', 'MiB', 'GiB', 'TiB'] as const;

/** `512 B`, `1.5 KiB`, `2 GiB`: at most three digits, binary units, as etcd counts its quota. */
export function formatBytes(bytes: number): string {
  if (bytes < 1_024) return `${formatCount(bytes)} B`;
  let amount = bytes;
  let unit: string = 'B';
  for (const next of units) {
    if (amount < 1_024) break;
    amount /= 1_024;
    unit = next;
  }
  return `${amount < 10 ? Number(amount.toFixed(1)) : formatCount(Math.round(amount))} ${unit}`;
}
