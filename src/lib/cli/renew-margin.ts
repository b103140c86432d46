import { InvalidInput } from '../errors';

const defaultMinutes = 60;

/**
 * What `--renew-margin` says, in seconds.
 * @throws InvalidInput `bad-renew-margin`
 */
export function renewMarginSeconds(text: string | undefined): number {
  if (text === undefined) return defaultMinutes * 60;
  const minutes = Number(text);
  if (/^\d{1,4}$/.test(text) && minutes >= 1 && minutes <= 1439) return minutes * 60;
  throw new InvalidInput({
    code: 'bad-renew-margin',
    message: `--renew-margin ${JSON.stringify(text)} is not what flanneld takes: whole minutes from 1 to 1439`,
    next: ['--renew-margin 60'],
  });
}
