import { createInterface } from 'node:readline';
import { InvalidInput } from '../errors';
import { safeText } from '../view/safe-text';

/** Is there a person who can answer? Questions go to stderr, so that stdout stays data. */
export function canAsk(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/** A yes or no question; anything but y or yes is no. To be asked only when `canAsk()`. */
export async function confirm(question: string): Promise<boolean> {
  const answer = await readLine(`${safeText(question)} [y/N] `, false);
  return /^y(es)?$/i.test(answer.trim());
}

/** Asks for a secret without showing it. @throws InvalidInput `password-missing` when nobody can be asked */
export async function askPassword(forWhat: string): Promise<string> {
  if (!canAsk()) {
    throw new InvalidInput({
      code: 'password-missing',
      message: `no password for ${forWhat}, and no terminal to ask on`,
      next: ['Give it in a file: --password-file FILE', 'Or in the environment: NETCTL_PASSWORD'],
    });
  }
  return readLine(`Password for ${safeText(forWhat)}: `, true);
}

/** Asks for a secret of a host; undefined when nobody can be asked, or nothing was typed. */
export async function askSecret(question: string): Promise<string | undefined> {
  if (!canAsk()) return undefined;
  const answer = await readLine(`${safeText(question)}: `, true);
  return answer === '' ? undefined : answer;
}

function readLine(prompt: string, hidden: boolean): Promise<string> {
  return new Promise((resolve) => {
    const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: true });
    let answered = false;
    let interrupted = false;
    lines.on('SIGINT', () => {
      interrupted = true;
      lines.close();
      process.stderr.write('\n');
      process.kill(process.pid, 'SIGINT');
    });
    lines.on('close', () => {
      // The signal is on its way and ends the run. Only while a change must be finished first is there anybody who goes on.
      if (interrupted) setTimeout(resolve, 500, '');
      else if (!answered) {
        process.stderr.write('\n');
        resolve('');
      }
    });
    lines.question(prompt, (answer) => {
      answered = true;
      if (hidden) process.stderr.write('\n');
      lines.close();
      resolve(answer);
    });
    if (hidden) {
      // readline has no switch for this: what is typed is echoed through this method, prompt included, so it is muted after the prompt.
      Reflect.set(lines, '_writeToOutput', () => {});
    }
  });
}
