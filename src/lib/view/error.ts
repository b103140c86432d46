import type { Screen } from './format';

/** Anything that was thrown, as text that ends in `\n`. `debug`: show the stack of a bug (`NETCTL_DEBUG`). */
export async function renderError(
  _error: unknown,
  _screen: Screen,
  _options: { readonly json: boolean; readonly debug?: boolean },
): Promise<string> {
  throw new Error('lands in a few minutes');
}
