/** A whole number with its thousands apart: `65,536`. The same in every locale, so that scripts and tests can trust it. */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `1 subnet`, `65,536 subnets`; the plural where an `s` is not enough: `plural(2, 'address', 'addresses')`. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}
