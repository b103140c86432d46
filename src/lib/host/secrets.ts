import { Gate } from './gate';

/** What a person is asked in order to get in. */
export type Question =
  | { readonly kind: 'passphrase'; readonly file: string; readonly attempt: number }
  | {
      readonly kind: 'password' | 'sudo-password';
      readonly user: string;
      /** Undefined when the answer is for all hosts. */
      readonly host?: string;
      readonly attempt: number;
    }
  /** A question of the host's own, such as a one-time code. Its text is untrusted. */
  | {
      readonly kind: 'host-question';
      readonly user: string;
      readonly host: string;
      readonly text: string;
      readonly isShown: boolean;
    };

/** Undefined: nobody can be asked, or gave no answer. */
export type Ask = (question: Question) => Promise<string | undefined>;

/** Asks a person, one question at a time, and keeps the answers in memory as long as it lives. */
export interface Secrets {
  /** `attempt` counts from 1; a later one means that the answer before was wrong and asks anew. */
  passphrase(file: string, attempt: number): Promise<string | undefined>;
  password(
    kind: 'password' | 'sudo-password',
    user: string,
    host: string,
    attempt: number,
  ): Promise<string | undefined>;
  answer(user: string, host: string, text: string, isShown: boolean): Promise<string | undefined>;
}

/** @param onePasswordForAll a password is asked once and tried on every host; a host that does not take it is asked for by itself */
export function createSecrets(ask: Ask, options: { readonly onePasswordForAll?: boolean } = {}): Secrets {
  const oneAtATime = new Gate(1);
  const answers = new Map<string, Promise<string | undefined>>();

  const once = (question: Question): Promise<string | undefined> => {
    const key = JSON.stringify(question);
    const answer = answers.get(key) ?? oneAtATime.run(() => ask(question));
    answers.set(key, answer);
    return answer;
  };

  return {
    passphrase: (file, attempt) => once({ kind: 'passphrase', file, attempt }),
    password: (kind, user, host, attempt) =>
      once(
        options.onePasswordForAll === true && attempt === 1 ? { kind, user, attempt } : { kind, user, host, attempt },
      ),
    answer: (user, host, text, isShown) =>
      // Never kept: a one-time code is good for one time.
      oneAtATime.run(() => ask({ kind: 'host-question', user, host, text, isShown })),
  };
}
