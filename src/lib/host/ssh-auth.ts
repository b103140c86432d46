import type { AnyAuthMethod, AuthHandlerMiddleware, BaseAgent, ParsedKey } from 'ssh2';
import type { Secrets } from './secrets';
import type { Identity, KeyRing } from './ssh-keys';
import type { SshTarget } from './ssh-target';

type Ssh2 = typeof import('ssh2');

/** One login: what is offered to the server, step by step, and what became of it. */
export interface Login {
  readonly handler: AuthHandlerMiddleware;
  /** To be called with every line of ssh2's debug output. */
  heard(line: string): void;
  /** What was offered, one line each; for the message when nothing helped. */
  tried(): readonly string[];
  /** Then the login must not be repeated by itself: a wrong one could lock the account. */
  hasSentPassword(): boolean;
}

export interface LoginHooks {
  readonly ssh2: Ssh2;
  readonly keys: KeyRing;
  readonly secrets: Secrets;
  /** Called while a person thinks, so that no deadline runs. */
  readonly whileAsking: <T>(asking: () => Promise<T>) => Promise<T>;
  /** Called before every step that the server has to answer. */
  readonly onStep: () => void;
  /** There is nothing left to try. */
  readonly onExhausted: () => void;
  readonly onBug: (error: unknown) => void;
}

/** Offers `none` (which tells what the server takes), keys, keyboard-interactive and passwords, in OpenSSH's order. */
export function createLogin(target: SshTarget, hooks: LoginHooks): Login {
  const state: LoginState = { methods: [], hasSpoken: false, tried: [], passwords: 0 };
  const steps = offers(target, hooks, state);
  return {
    tried: () => state.tried,
    hasSentPassword: () => state.passwords > 0,
    // Which methods the server still takes. ssh2 does not hand on what it says after an agent's key, not even that the key
    // was accepted and a second factor is due: only its debug line does.
    heard(line) {
      const [, methods] = /^Inbound: Received USERAUTH_FAILURE \(([^)]*)\)$/.exec(line) ?? [];
      if (methods === undefined) return;
      state.methods = methods.split(',');
      state.hasSpoken = true;
    },
    handler(methods: readonly string[] | null, _isPartial, next) {
      if (methods !== null && !state.hasSpoken) state.methods = methods;
      const step = async () => {
        const { value, done } = await steps.next();
        if (done === true) return hooks.onExhausted();
        hooks.onStep();
        next(value);
      };
      step().catch(hooks.onBug);
    },
  };
}

interface LoginState {
  methods: readonly string[];
  hasSpoken: boolean;
  readonly tried: string[];
  /** How many passwords were sent, by whichever method. */
  passwords: number;
}

interface Offer {
  readonly label: string;
  readonly method: AnyAuthMethod;
  /** Why it came to nothing on our side. */
  readonly failure?: () => string | undefined;
}

interface Way {
  readonly method: 'publickey' | 'keyboard-interactive' | 'password';
  readonly offers: AsyncGenerator<Offer, void>;
  isBegun: boolean;
  isDone: boolean;
}

async function* offers(target: SshTarget, hooks: LoginHooks, state: LoginState): AsyncGenerator<AnyAuthMethod, void> {
  yield { type: 'none', username: target.user };

  const way = (method: Way['method'], isAllowed: boolean, make: () => Way['offers']): readonly Way[] =>
    isAllowed ? [{ method, offers: make(), isBegun: false, isDone: false }] : [];
  const ways = [
    ...way('publickey', target.allowsPublicKey, () => keyOffers(target, hooks, state)),
    ...way('keyboard-interactive', target.allowsKeyboardInteractive, () => keyboardOffers(target, hooks, state)),
    ...way('password', target.allowsPassword, () => passwordOffers(target, hooks, state)),
  ];
  for (;;) {
    // The first that the server takes now: after a first factor it takes others than before.
    const next = ways.find(({ method, isDone }) => !isDone && state.methods.includes(method));
    if (next === undefined) break;
    next.isBegun = true;
    const { value: offer, done } = await next.offers.next();
    if (done === true) {
      next.isDone = true;
      continue;
    }
    // Said before the server answers, because it may hang up instead.
    const at = state.tried.push(`${offer.label}: refused`) - 1;
    yield offer.method;
    const failure = offer.failure?.();
    if (failure !== undefined) state.tried[at] = `${offer.label}: ${failure}`;
    else if (!state.methods.includes(next.method)) {
      state.tried[at] = `${offer.label}: accepted, but the server wants ${state.methods.join(' or ')} as well`;
    }
  }
  const never = ways.filter(({ isBegun, method }) => !isBegun && method !== 'keyboard-interactive');
  for (const { method } of never)
    state.tried.push(`${method === 'publickey' ? 'keys' : 'password'}: the server takes none`);
}

async function* keyOffers(target: SshTarget, hooks: LoginHooks, state: LoginState): AsyncGenerator<Offer, void> {
  const { found, notes } = await hooks.keys.identities(target);
  state.tried.push(...notes);
  if (found.length === 0) state.tried.push('keys: there is none to offer');
  for (const candidate of found) {
    let failure: string | undefined;
    let identity: Identity;
    try {
      identity = 'unlock' in candidate ? await hooks.whileAsking(() => candidate.unlock()) : candidate;
    } catch (error) {
      state.tried.push(`${candidate.label}: ${messageOf(error)}`);
      continue;
    }
    const agent = agentOf(hooks.ssh2, identity, async (data, hash) => {
      try {
        return await hooks.whileAsking(() => identity.sign(data, hash));
      } catch (error) {
        failure = messageOf(error);
        throw error;
      }
    });
    yield {
      label: identity.label,
      method: { type: 'agent', username: target.user, agent },
      failure: () => failure,
    };
  }
}

/** An agent with one key: ssh2 then tries no other of its own accord, and asks for the signature only if the server wants it. */
function agentOf(
  ssh2: Ssh2,
  { publicKey }: Identity,
  sign: (data: Buffer, hash: string | undefined) => Promise<Buffer>,
): BaseAgent {
  class OneKey extends ssh2.BaseAgent<ParsedKey> {
    getIdentities(give: (error?: Error | null, keys?: ParsedKey[]) => void): void {
      give(null, [publicKey]);
    }
    sign(_key: ParsedKey, data: Buffer, ...rest: readonly unknown[]): void {
      const [options, give] = rest.length > 1 ? rest : [undefined, rest[0]];
      if (typeof give !== 'function') return;
      const hash =
        typeof options === 'object' && options !== null && 'hash' in options && typeof options.hash === 'string'
          ? options.hash
          : undefined;
      sign(data, hash).then(
        (signature) => give(null, signature),
        (error: unknown) => give(error),
      );
    }
  }
  return new OneKey();
}

async function* keyboardOffers(target: SshTarget, hooks: LoginHooks, state: LoginState): AsyncGenerator<Offer, void> {
  const { user, name } = target;
  let failure: string | undefined;
  while (failure === undefined && state.passwords < target.passwordPrompts) {
    const before = state.passwords;
    failure = 'the server asked nothing and refused';
    const answer = async (prompt: string, isShown: boolean): Promise<string> => {
      failure = undefined;
      const isPassword = !isShown && /^(?:\S+ )?password(?: for .*)?: ?$/i.test(prompt);
      if (isPassword && state.passwords === before) state.passwords += 1;
      const given = await hooks.whileAsking(() =>
        isPassword
          ? hooks.secrets.password('password', user, name, state.passwords)
          : hooks.secrets.answer(user, name, prompt, isShown),
      );
      if (given === undefined) failure = 'nobody answered';
      return given ?? '';
    };
    yield {
      label: 'keyboard-interactive',
      method: {
        type: 'keyboard-interactive',
        username: user,
        prompt(_name, _instructions, _language, prompts, finish) {
          const all = async () => {
            const answers: string[] = [];
            for (const { prompt, echo } of prompts) answers.push(await answer(prompt, echo === true));
            hooks.onStep();
            finish(answers);
          };
          all().catch(hooks.onBug);
        },
      },
      failure: () => failure,
    };
    // Questions of another kind are asked once: a wrong code does not become right.
    if (state.passwords === before) return;
  }
}

async function* passwordOffers(target: SshTarget, hooks: LoginHooks, state: LoginState): AsyncGenerator<Offer, void> {
  while (state.passwords < target.passwordPrompts) {
    const attempt = state.passwords + 1;
    const password = await hooks.whileAsking(() =>
      hooks.secrets.password('password', target.user, target.name, attempt),
    );
    if (password === undefined) {
      state.tried.push('password: nobody gave one');
      return;
    }
    state.passwords = attempt;
    yield { label: 'password', method: { type: 'password', username: target.user, password } };
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
