import { EndpointFailure, isFinal, isPassing } from './etcd-errors';

/** One question to one endpoint. */
export interface Attempt {
  /** Aborted when another endpoint has answered. */
  readonly signal: AbortSignal;
  /** The endpoint has begun to answer: no rival need be asked. */
  readonly answering: () => void;
}

interface Race {
  /** The next endpoint is asked after this much silence of those before it. */
  readonly silenceMs: number;
  /** No new round is begun after it. The attempts keep to it by themselves. */
  readonly deadlineMs: number;
}

/** Everybody failed; one entry an endpoint and round. */
export class AllFailed extends Error {
  readonly failures: readonly EndpointFailure[];

  constructor(failures: readonly EndpointFailure[]) {
    super(failures.map((failure) => failure.message).join('; '));
    this.name = 'AllFailed';
    this.failures = failures;
  }
}

/**
 * Asks endpoints in order, the next one when one fails or stays silent, and takes the first answer. A black hole among
 * three members thus costs `silenceMs`, not a whole deadline. Only for questions: what changes something is asked once.
 * Rounds are repeated while the failures are of the passing kind (a restart, a change of leader) and time is left.
 *
 * @throws AllFailed, or as it is whatever `ask` threw that is not an EndpointFailure
 */
export async function firstAnswer<Endpoint, Answer>(
  endpoints: readonly Endpoint[],
  ask: (endpoint: Endpoint, attempt: Attempt) => Promise<Answer>,
  race: Race,
): Promise<{ readonly endpoint: Endpoint; readonly answer: Answer }> {
  for (let pauseMs = 50; ; pauseMs *= 2) {
    try {
      return await oneRound(endpoints, ask, race.silenceMs);
    } catch (error) {
      const again = error instanceof AllFailed && error.failures.some(isPassing) && !error.failures.some(isFinal);
      if (!again || Date.now() + pauseMs >= race.deadlineMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}

function oneRound<Endpoint, Answer>(
  endpoints: readonly Endpoint[],
  ask: (endpoint: Endpoint, attempt: Attempt) => Promise<Answer>,
  silenceMs: number,
): Promise<{ readonly endpoint: Endpoint; readonly answer: Answer }> {
  return new Promise((resolve, reject) => {
    const controllers: AbortController[] = [];
    const failures: EndpointFailure[] = [];
    let timer: NodeJS.Timeout | undefined;
    let over = false;

    const finish = (settle: () => void) => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      settle();
      for (const controller of controllers) controller.abort();
    };
    const startNext = () => {
      clearTimeout(timer);
      const endpoint = endpoints[controllers.length];
      if (over || endpoint === undefined) return;
      const controller = new AbortController();
      controllers.push(controller);
      if (controllers.length < endpoints.length) timer = setTimeout(startNext, silenceMs);
      const attempt = { signal: controller.signal, answering: () => clearTimeout(timer) };
      ask(endpoint, attempt).then(
        (answer) => finish(() => resolve({ endpoint, answer })),
        (error: unknown) => {
          if (!(error instanceof EndpointFailure)) return finish(() => reject(error));
          failures.push(error);
          if (isFinal(error) || failures.length === endpoints.length) finish(() => reject(new AllFailed(failures)));
          else startNext();
        },
      );
    };
    startNext();
  });
}
