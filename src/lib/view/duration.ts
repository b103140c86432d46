const units = [
  ['d', 86_400],
  ['h', 3_600],
  ['m', 60],
  ['s', 1],
] as const;

/** Seconds as the two greatest units: `59s`, `5m20s`, `23h58m`, `3d4h`. Fractions are dropped; a negative one has a `-`. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '-';
  let rest = Math.floor(Math.abs(seconds));
  if (rest === 0) return '0s';
  const start = units.findIndex(([, size]) => rest >= size);
  let text = seconds < 0 ? '-' : '';
  for (const [name, size] of units.slice(start, start + 2)) {
    const amount = Math.floor(rest / size);
    rest -= amount * size;
    if (amount > 0) text += `${amount}${name}`;
  }
  return text;
}
