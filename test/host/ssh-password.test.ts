import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2, { type AuthContext, type Server, type ServerChannel } from 'ssh2';
import { afterEach, describe, expect, it } from 'vitest';
import { createSecrets, type Question } from '../../src/lib/host/secrets';
import { connectSsh } from '../../src/lib/host/ssh';
import type { SshTarget } from '../../src/lib/host/ssh-target';

// A server in this process, because a real sshd takes passwords only of users of this machine, through its PAM.
// The lab's journey has the real thing.
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

const hostKey = ssh2.utils.generateKeyPairSync('ed25519').private;

function serve(decide: (login: AuthContext, attempt: number) => void): Promise<SshTarget> {
  const server = new ssh2.Server({ hostKeys: [hostKey] }, (client) => {
    let attempt = 0;
    client.on('authentication', (login) => {
      attempt += 1;
      decide(login, attempt);
    });
    client.on('session', (accept) => {
      accept().on('exec', (acceptExec, _reject, { command }) => {
        const [, marker = ''] = /printf %s (netctl-[0-9a-f]+:)/.exec(command) ?? [];
        const channel: ServerChannel = acceptExec();
        channel.write(`${marker}1:in\n`);
        channel.exit(0);
        channel.end();
      });
    });
    client.on('error', () => undefined);
  });
  servers.push(server);
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address: unknown = server.address();
      const port = typeof address === 'object' && address !== null && 'port' in address ? Number(address.port) : 0;
      resolve({
        name: 'node1',
        hostName: '127.0.0.1',
        port,
        user: 'ops',
        identityFiles: [],
        preferredIdentityFiles: [],
        identitiesOnly: true,
        allowsPublicKey: true,
        allowsPassword: true,
        allowsKeyboardInteractive: true,
        passwordPrompts: 3,
        knownHosts: { user: [], global: [] },
        hostKey: 'off',
        hashKnownHosts: false,
        connectTimeoutMs: 2000,
        jumps: [],
      });
    });
  });
}

async function logIn(target: SshTarget, answers: readonly (string | undefined)[]) {
  const asked: Question[] = [];
  const secrets = createSecrets((question) => {
    asked.push(question);
    return Promise.resolve(answers[asked.length - 1]);
  });
  const host = connectSsh(target, { secrets });
  try {
    const { stdout } = await host.run({ argv: ['true'] });
    return { asked, said: Buffer.from(stdout).toString() };
  } catch (error) {
    return { asked, error };
  } finally {
    host.close();
  }
}

const password = (attempt: number) => ({ kind: 'password', user: 'ops', host: 'node1', attempt });

describe('a host that wants a password', () => {
  const takesPassword = (login: AuthContext) =>
    login.method === 'password' && login.password === 'right' ? login.accept() : login.reject(['password']);

  it('is given it, and is asked for again when it was wrong', async () => {
    expect(await logIn(await serve(takesPassword), ['right'])).toEqual({ asked: [password(1)], said: 'in\n' });
    expect(await logIn(await serve(takesPassword), ['wrong', 'right'])).toEqual({
      asked: [password(1), password(2)],
      said: 'in\n',
    });
  });

  it('is given up after three wrong ones, or when nobody answers', async () => {
    expect(await logIn(await serve(takesPassword), ['a', 'b', 'c', 'right'])).toMatchObject({
      asked: [password(1), password(2), password(3)],
      error: {
        code: 'host-login-refused',
        details: ['password: refused', 'password: refused', 'password: refused', 'keys: the server takes none'],
      },
    });
    expect(await logIn(await serve(takesPassword), [])).toMatchObject({
      asked: [password(1)],
      error: { details: ['password: nobody gave one', 'keys: the server takes none'] },
    });
  });

  it('is never asked for one that its configuration forbids', async () => {
    const target = await serve(takesPassword);
    expect(await logIn({ ...target, allowsPassword: false }, ['right'])).toMatchObject({
      asked: [],
      error: { code: 'host-login-refused' },
    });
  });
});

describe('a host that asks by keyboard-interactive', () => {
  it('is given the password where it asks for that, and a code where it asks for something else', async () => {
    const target = await serve((login) => {
      if (login.method !== 'keyboard-interactive') return login.reject(['keyboard-interactive', 'password']);
      login.prompt(
        [
          { prompt: 'Password: ', echo: false },
          { prompt: 'Code: ', echo: true },
        ],
        (answers) =>
          answers.join() === 'right,123' ? login.accept() : login.reject(['keyboard-interactive', 'password']),
      );
    });
    expect(await logIn(target, ['right', '123'])).toEqual({
      asked: [password(1), { kind: 'host-question', user: 'ops', host: 'node1', text: 'Code: ', isShown: true }],
      said: 'in\n',
    });
  });

  it('is not given the same wrong password again by the other method', async () => {
    const sent: string[] = [];
    const target = await serve((login) => {
      if (login.method === 'password') {
        sent.push(login.password);
        return login.reject(['keyboard-interactive', 'password']);
      }
      if (login.method !== 'keyboard-interactive') return login.reject(['keyboard-interactive', 'password']);
      login.prompt([{ prompt: 'Password: ', echo: false }], (answers) => {
        sent.push(...answers);
        login.reject(['keyboard-interactive', 'password']);
      });
    });
    expect(await logIn(target, ['a', 'b', 'c', 'd'])).toMatchObject({ error: { code: 'host-login-refused' } });
    expect(sent).toEqual(['a', 'b', 'c']);
  });
});

describe('a host that wants two factors', () => {
  it('is given the key and then the password, which it asks for only after that', async () => {
    const target = await serve((login) => {
      if (login.method === 'password' && login.password === 'right') return login.accept();
      if (login.method !== 'publickey') return login.reject(['publickey']);
      if (login.signature === undefined) return login.accept();
      // Partial success: the key was right.
      login.reject(['password'], true);
    });
    const folder = mkdtempSync(join(tmpdir(), 'netctl-2fa-'));
    const file = join(folder, 'key');
    writeFileSync(file, ssh2.utils.generateKeyPairSync('ed25519').private, { mode: 0o600 });
    const target2 = { ...target, identityFiles: [{ file, isNamed: true }] };
    expect(await logIn(target2, ['right'])).toEqual({ asked: [password(1)], said: 'in\n' });
    expect(await logIn(target2, [])).toMatchObject({
      error: {
        details: [
          expect.stringMatching(/accepted, but the server wants password as well$/),
          'password: nobody gave one',
        ],
      },
    });
    rmSync(folder, { recursive: true, force: true });
  });
});
