import { Refused } from '../errors';

export interface Approval {
  readonly yes: boolean;
  readonly question: string;
  /** Shows what would be done: somebody reads it before answering, or finds out why nothing was done. */
  readonly show: () => Promise<void>;
  /** What did not happen without a yes: `nothing was put back`. */
  readonly nothing: string;
  /** What nobody was there to confirm. Default `these changes`. */
  readonly what?: string;
  /** Default `Read what would be done, above, then add --yes`. */
  readonly read?: string;
  readonly details?: readonly string[];
  /** What is thrown instead when nobody is there. */
  readonly nobody?: Refused | undefined;
}

/**
 * Asks before something is changed, unless `--yes` was given.
 * @throws Refused `not-confirmed`
 */
export async function approve(approval: Approval): Promise<void> {
  if (approval.yes) return;
  const { canAsk, confirm } = await import('./ask');
  await approval.show();
  const { nothing, what = 'these changes', read = 'Read what would be done, above, then add --yes' } = approval;
  if (!canAsk()) {
    throw (
      approval.nobody ??
      new Refused({
        code: 'not-confirmed',
        message: `nobody is there to confirm ${what}, so ${nothing}`,
        details: approval.details ?? [],
        next: [read],
      })
    );
  }
  if (await confirm(approval.question)) return;
  throw new Refused({ code: 'not-confirmed', message: `not confirmed, ${nothing}` });
}
