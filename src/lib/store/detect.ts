import { NetctlError } from '../errors';
import { openEtcdV2 } from './etcd-v2';
import { openEtcdV3 } from './etcd-v3';
import type { PrefixLooker, PrefixUse, StoreOptions } from './store';

/** What both APIs hold of one network. */
export interface NetworkUse {
  readonly v3: PrefixUse;
  readonly v2: PrefixUse;
}

/**
 * Asks both APIs of an etcd, at once, whether a flannel network lives at `prefix`: two small requests to v3, one to v2.
 * An API that could not be asked is an answer too, with its `error`; this throws only for options that cannot be right.
 * @param opened stores that are open already, so that their connection and login are used; they stay open
 */
export async function lookForPrefix(
  options: StoreOptions,
  prefix: string,
  opened: { readonly v3?: PrefixLooker; readonly v2?: PrefixLooker } = {},
): Promise<NetworkUse> {
  const own: { close(): void }[] = [];
  const open = async (opener: typeof openEtcdV3): Promise<PrefixLooker> => {
    const store = await opener(options);
    own.push(store);
    return store;
  };
  try {
    const [v3, v2] = await Promise.all([opened.v3 ?? open(openEtcdV3), opened.v2 ?? open(openEtcdV2)]);
    const [inV3, inV2] = await Promise.all([looked(v3, prefix), looked(v2, prefix)]);
    return { v3: inV3, v2: inV2 };
  } finally {
    for (const store of own) store.close();
  }
}

async function looked(store: PrefixLooker, prefix: string): Promise<PrefixUse> {
  try {
    return await store.look(prefix);
  } catch (error) {
    if (error instanceof NetctlError) return { served: false, config: false, leases: 0, error };
    throw error;
  }
}

/**
 * Which API the network lives in. `both`: neither may be guessed over. `none`: neither has anything, as before
 * `init-network`. An API with an `error` counts as empty: look at the errors before you rely on `none`.
 */
export function chooseApi(use: NetworkUse): 'v2' | 'v3' | 'both' | 'none' {
  const inV3 = isInUse(use.v3);
  const inV2 = isInUse(use.v2);
  if (inV3 && inV2) return 'both';
  if (inV3) return 'v3';
  return inV2 ? 'v2' : 'none';
}

function isInUse(use: PrefixUse): boolean {
  return use.config || use.leases > 0;
}
