import type { FlannelVersion } from '../net/flannel-version';
import type { Verdict } from '../net/network-config';
import type { Problem } from '../net/problem';

export interface ReviewContext {
  /** Ranges that the network must not touch, and why (host LAN, `--avoid`, docker's pools …). */
  readonly avoid: readonly { readonly cidr: string; readonly why: string }[];
  /** How many nodes the inventory has. */
  readonly nodes?: number;
}

export interface Review {
  readonly verdict: Verdict;
  readonly problems: readonly Problem[];
}

/** flanneld's verdict and what people regret later. Errors first, then by position in the text. */
export function reviewConfig(_text: Uint8Array | string, _version: FlannelVersion, _context: ReviewContext): Review {
  throw new Error('not built yet');
}
