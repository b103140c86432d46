import { Refused } from '../errors';

/**
 * Asks before something is changed, unless `--yes` was given.
 * @param show shows what would be done; called when somebody reads it before answering, or finds out why nothing was done
 * @throws Refused `not-confirmed`
 */
export async function approve(options: {
  readonly yes: boolean;
  readonly question: string;
  readonly show: () => Promise<void>;
}): Promise<void> {
  if (options.yes) return;
  const { canAsk, confirm } = await import('./ask');
  await options.show();
  if (!canAsk()) {
    throw new Refused({
      code: 'not-confirmed',
      message: 'nobody is there to confirm it, so nothing was changed',
      next: ['Read what would be done, above, then add --yes'],
    });
  }
  if (await confirm(options.question)) return;
  throw new Refused({ code: 'not-confirmed', message: 'not confirmed, nothing was changed' });
}
