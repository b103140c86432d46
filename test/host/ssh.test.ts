import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Host } from '../../src/lib/host/host';
import { fingerprint } from '../../src/lib/host/known-hosts';
import { forEachHost } from '../../src/lib/host/pool';
import { createSecrets, type Question } from '../../src/lib/host/secrets';
import { connectSsh, openSsh, type SshOptions } from '../../src/lib/host/ssh';
import type { SshTarget } from '../../src/lib/host/ssh-target';
import { freePort, makeSshLand, type PrivateSshd, type SshLand, whyNoSshd } from './private-sshd';
import { talkWith } from './talk-with';

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
const fingerprintOf = (line: string): string => fingerprint(Buffer.from(line.split(' ')[1] ?? '', 'base64'));

describe.skipIf(whyNoSshd !== undefined)('a host by SSH', () => {
  let land: SshLand;
  let sshd: PrivateSshd;
  const open: Host[] = [];
  const servers: Server[] = [];

  beforeAll(async () => {
    land = makeSshLand();
    sshd = await land.sshd({ hostKeys: ['ed25519', 'ecdsa', 'rsa'] });
  });
  afterEach(() => {
    for (const host of open.splice(0)) host.close();
    for (const server of servers.splice(0)) server.close();
  });
  afterAll(() => land?.remove());

  const connect = (target: SshTarget = sshd.target(), options?: SshOptions): Host => {
    const host = connectSsh(target, options);
    open.push(host);
    return host;
  };
  const whoami = (target?: SshTarget, options?: SshOptions) => connect(target, options).run({ argv: ['id', '-u'] });
  const answering = (answer: (question: Question) => string | undefined, asked: Question[] = []) =>
    createSecrets((question) => {
      asked.push(question);
      return Promise.resolve(answer(question));
    });

  describe('runs commands', () => {
    it('and gives their output as bytes, their code and their signal', async () => {
      const host = connect();
      const bytes = randomBytes(300_000);
      const echoed = await host.run({ argv: ['cat'], stdin: bytes });
      expect(Buffer.compare(echoed.stdout, bytes)).toBe(0);
      const both = await host.run({ argv: ['sh', '-c', 'echo out; echo err >&2; exit 3'] });
      expect([both.code, text(both.stdout), text(both.stderr)]).toEqual([3, 'out\n', 'err\n']);
      expect(await host.run({ argv: ['sh', '-c', 'kill -9 $$'] })).toMatchObject({ code: null, signal: 'SIGKILL' });
      expect((await host.run({ argv: ['no-such-program'] })).code).toBe(127);
    });

    it('and hands on what one says while it runs, its own words alone, so that its input can answer', async () => {
      const host = connect();
      expect(await talkWith(host)).toEqual({
        answered: 'you said: second\n',
        said: 'first\nyou said: second\n',
      });
      const refused = host.run({
        argv: ['sh', '-c', 'echo no; sleep 60'],
        onStdout: () => {
          throw new Error('not understood');
        },
      });
      await expect(refused).rejects.toThrow('not understood');
    });

    it('with LC_ALL=C and the sbin folders', async () => {
      const { stdout } = await connect().run({ argv: ['sh', '-c', 'echo "$LC_ALL $PATH"'] });
      expect(text(stdout)).toMatch(/^C .*:\/usr\/sbin:\/sbin\n$/);
    });

    it('on one connection, more at once than sshd has sessions for', async () => {
      const host = connect();
      const before = sshd.log().match(/Accepted publickey/g)?.length ?? 0;
      const outputs = await Promise.all(
        Array.from({ length: 100 }, (_, index) => host.run({ argv: ['sh', '-c', `sleep 0.01; echo ${index}`] })),
      );
      expect(outputs.map(({ stdout }) => text(stdout))).toEqual(
        Array.from({ length: 100 }, (_, index) => `${index}\n`),
      );
      expect((sshd.log().match(/Accepted publickey/g)?.length ?? 0) - before).toBe(1);
    });

    it('that are over before their start is seen, without losing one', async () => {
      const host = connect();
      for (let index = 0; index < 60; index++) expect((await host.run({ argv: ['sh', '-c', 'exit 7'] })).code).toBe(7);
    });

    it('whose input is made while it is sent, no faster than it is taken', async () => {
      const host = connect();
      let made = 0;
      const chunk = new Uint8Array(256 * 1024);
      const stdin = async function* () {
        for (; made < 100; made++) yield chunk;
      };
      const running = host.run({ argv: ['sh', '-c', 'sleep 0.5; wc -c'], stdin });
      await sleep(300);
      // 2 MB of window, 2 MB of stream, and what is in the pipe and the sockets.
      expect(made).toBeLessThan(40);
      expect(text((await running).stdout).trim()).toBe(String(100 * chunk.length));
    });

    it('that do not read their input to its end', async () => {
      const stdin = async function* () {
        for (let index = 0; index < 200; index++) yield new Uint8Array(64 * 1024);
      };
      expect(text((await connect().run({ argv: ['head', '-c', '1'], stdin })).stdout)).toBe('\0');
    });

    it('and stops one whose input fails, so that half an input cannot pass for a whole', async () => {
      const file = land.file('half');
      const stdin = async function* () {
        yield Buffer.from('half');
        await sleep(50);
        throw new Error('the disk broke');
      };
      const host = connect();
      await expect(host.run({ argv: ['sh', '-c', 'cat >/dev/null && touch "$0"', file], stdin })).rejects.toThrow(
        'the disk broke',
      );
      await sleep(300);
      expect(existsSync(file)).toBe(false);
    });

    it('and is not misled by a talkative .bashrc', async () => {
      const home = land.file('talk');
      mkdirSync(home);
      writeFileSync(`${home}/.bashrc`, 'echo welcome; echo to this host >&2\n');
      const talkative = await land.sshd({ config: [`SetEnv HOME=${home}`] });
      const { stdout, stderr } = await connect(talkative.target()).run({ argv: ['echo', 'x'] });
      expect([text(stdout), text(stderr)]).toEqual(['x\n', '']);
    });

    it('and says so when something else than the command is run', async () => {
      const forced = await land.sshd({ config: ['ForceCommand echo This account is not available.; exit 1'] });
      await expect(whoami(forced.target())).rejects.toMatchObject({
        code: 'host-runs-no-commands',
        message: 'node1: it lets root in but runs no command for it (code 1): This account is not available.',
      });
    });
  });

  describe('gives a command up', () => {
    const pidIn = async (file: string): Promise<number> => {
      while (!existsSync(file) || readFileSync(file, 'utf8') === '') await sleep(10);
      return Number(readFileSync(file, 'utf8'));
    };
    const isGone = async (pid: number): Promise<boolean> => {
      for (let tries = 0; tries < 500; tries++) {
        if (!existsSync(`/proc/${pid}`)) return true;
        await sleep(20);
      }
      return false;
    };

    it('that takes too long, and ends it there', async () => {
      const file = land.file('slow.pid');
      const running = connect().run({ argv: ['sh', '-c', 'echo $$ >"$0"; sleep 60', file], timeoutMs: 400 });
      await expect(running).rejects.toMatchObject({
        code: 'command-timeout',
        message: expect.stringMatching(/^node1: sh -c .* did not end within 0.4 s and was stopped$/),
      });
      expect(await isGone(await pidIn(file))).toBe(true);
    });

    it('that ignores being asked to end', async () => {
      const file = land.file('deaf.pid');
      const running = connect().run({
        argv: ['sh', '-c', 'trap "" TERM; echo $$ >"$0"; while :; do sleep 0.1; done', file],
        timeoutMs: 400,
      });
      await expect(running).rejects.toMatchObject({ code: 'command-timeout' });
      expect(await isGone(await pidIn(file))).toBe(true);
    });

    it('that was called off before its first sign of life', async () => {
      const file = land.file('early.pid');
      const ssh = openSsh();
      const host = ssh.host(sshd.target());
      await host.run({ argv: ['true'] });
      const control = new AbortController();
      const running = host.run({ argv: ['sh', '-c', 'echo $$ >"$0"; sleep 60', file] }, control.signal);
      await new Promise((resolve) => setImmediate(resolve));
      control.abort(new Error('Ctrl-C'));
      await expect(running).rejects.toThrow('Ctrl-C');
      await ssh.stopped();
      ssh.close();
      if (existsSync(file)) expect(await isGone(Number(readFileSync(file, 'utf8')))).toBe(true);
    });

    it('and closes the connection only then', async () => {
      const file = land.file('closing.pid');
      const ssh = openSsh();
      const control = new AbortController();
      const running = ssh
        .host(sshd.target())
        .run({ argv: ['sh', '-c', 'echo $$ >"$0"; sleep 60', file] }, control.signal);
      const pid = await pidIn(file);
      control.abort(new Error('Ctrl-C'));
      ssh.close();
      await expect(running).rejects.toThrow('Ctrl-C');
      expect(await isGone(pid)).toBe(true);
    });

    it('when it is called off, at once and with the reason', async () => {
      const file = land.file('off.pid');
      const host = connect();
      const control = new AbortController();
      const running = host.run({ argv: ['sh', '-c', 'echo $$ >"$0"; sleep 60', file] }, control.signal);
      const pid = await pidIn(file);
      const begin = performance.now();
      control.abort(new Error('Ctrl-C'));
      await expect(running).rejects.toThrow('Ctrl-C');
      expect(performance.now() - begin).toBeLessThan(2000);
      expect(await isGone(pid)).toBe(true);
      expect((await host.run({ argv: ['true'] })).code).toBe(0);
    });

    it('with all others that share one signal, without a warning of too many listeners', async () => {
      const warnings: string[] = [];
      const listen = (warning: Error) => warnings.push(warning.name);
      process.on('warning', listen);
      const control = new AbortController();
      const host = connect();
      const running = Promise.allSettled(
        Array.from({ length: 30 }, () => host.run({ argv: ['sleep', '5'] }, control.signal)),
      );
      await sleep(300);
      control.abort(new Error('Ctrl-C'));
      expect((await running).every((each) => each.status === 'rejected' && each.reason.message === 'Ctrl-C')).toBe(
        true,
      );
      await sleep(10);
      process.off('warning', listen);
      expect(warnings).toEqual([]);
    });

    it('that was called off before it began', async () => {
      const file = land.file('never');
      await expect(connect().run({ argv: ['touch', file] }, AbortSignal.abort(new Error('no')))).rejects.toThrow('no');
      expect(existsSync(file)).toBe(false);
    });

    it('that writes without end', async () => {
      const host = connect();
      await expect(host.run({ argv: ['yes'], maxOutputBytes: 1_000_000 })).rejects.toMatchObject({
        code: 'command-output-too-large',
        message: 'node1: yes wrote more than 1000000 bytes and was stopped',
      });
      await expect(host.run({ argv: ['sh', '-c', 'yes >&2'], maxOutputBytes: 1_000_000 })).rejects.toMatchObject({
        code: 'command-output-too-large',
      });
      const { stdout } = await host.run({ argv: ['head', '-c', '900000', '/dev/zero'], maxOutputBytes: 1_000_000 });
      expect(stdout.length).toBe(900_000);
    });

    it('that left a process behind which holds its output', async () => {
      await expect(connect().run({ argv: ['sh', '-c', 'sleep 5 & exit 0'], timeoutMs: 500 })).rejects.toThrow(
        /ended, but a process that it started still holds its output open after 0.5 s/,
      );
    });
  });

  describe('that cannot be reached', () => {
    const refusedCases = [
      [
        'refuses',
        async () => ({ hostName: '127.0.0.1', port: await freePort() }),
        'host-refused',
        /nothing listens for SSH at root@127\.0\.0\.1:\d+ \(ECONNREFUSED\)/,
      ],
      [
        'has a name that does not resolve',
        async () => ({ hostName: 'no-such-host.invalid', port: 22 }),
        'host-name-unknown',
        /no-such-host\.invalid does not resolve/,
      ],
    ] as const;
    it.each(refusedCases)('because it %s', async (_, where, code, message) => {
      await expect(whoami(sshd.target(await where()))).rejects.toMatchObject({
        code,
        exit: 4,
        message: expect.stringMatching(new RegExp(`^node1: .*${message.source}`)),
      });
    });

    const listen = (onConnection: Parameters<typeof createServer>[1]): Promise<number> =>
      new Promise((resolve) => {
        const server = createServer(onConnection);
        servers.push(server);
        server.listen(0, '127.0.0.1', () => {
          const address = server.address();
          resolve(typeof address === 'object' && address !== null ? address.port : 0);
        });
      });

    it('because what listens there says nothing', async () => {
      const port = await listen((socket) => socket.on('error', () => undefined));
      const begin = performance.now();
      await expect(whoami(sshd.target({ port, connectTimeoutMs: 500 }))).rejects.toMatchObject({
        code: 'host-no-answer',
        message: expect.stringContaining('took the connection and said nothing that SSH begins with within 0.5 s'),
      });
      expect(performance.now() - begin).toBeLessThan(1500);
    });

    it.each([
      ['hangs up', (socket: Socket) => socket.destroy()],
      ['resets the connection', (socket: Socket) => socket.resetAndDestroy()],
    ])('because what listens there %s, which is tried four times', async (_, hangUp) => {
      let connections = 0;
      const port = await listen((socket) => {
        connections += 1;
        socket.on('error', () => undefined);
        hangUp(socket);
      });
      await expect(whoami(sshd.target({ port }))).rejects.toMatchObject({ code: 'host-not-ssh' });
      expect(connections).toBe(4);
    });

    it('because it speaks something else', async () => {
      const port = await listen((socket) =>
        socket.on('error', () => undefined).end('HTTP/1.1 400 Bad Request\r\n\r\n'),
      );
      await expect(whoami(sshd.target({ port, connectTimeoutMs: 1000 }))).rejects.toMatchObject({
        code: expect.stringMatching(/^host-(not-ssh|handshake-failed)$/),
      });
    });

    it('because it offers no way to encrypt that we have', async () => {
      const strange = await land.sshd({ config: ['KexAlgorithms sntrup761x25519-sha512@openssh.com'] });
      await expect(whoami(strange.target())).rejects.toMatchObject({
        code: 'host-handshake-failed',
        message: expect.stringContaining('no way to encrypt in common'),
      });
    });
  });

  describe('that goes away', () => {
    it('in the middle of a command', async () => {
      const dying = await land.sshd();
      const begun = land.file('begun');
      const running = connect(dying.target()).run({ argv: ['sh', '-c', 'touch "$0"; sleep 5', begun] });
      running.catch(() => undefined);
      while (!existsSync(begun)) await sleep(10);
      dying.kill();
      await expect(running).rejects.toMatchObject({
        code: 'host-died',
        exit: 4,
        message: expect.stringMatching(/^node1: lost while sh -c 'touch .* ran: the connection broke/),
      });
    });

    it('by hanging, which is noticed although TCP stays up', async () => {
      const hanging = await land.sshd();
      const host = connect(hanging.target(), { silentMs: 1500 });
      await host.run({ argv: ['true'] });
      hanging.freeze(true);
      const begin = performance.now();
      await expect(host.run({ argv: ['true'] })).rejects.toMatchObject({
        code: 'host-silent',
        message: expect.stringContaining('silent for 1.5 s'),
      });
      expect(performance.now() - begin).toBeLessThan(2500);
      hanging.freeze(false);
      // A host that is back is reached anew.
      expect((await host.run({ argv: ['true'] })).code).toBe(0);
    });

    it('but is left alone while a command is merely quiet', async () => {
      const host = connect(sshd.target(), { silentMs: 400 });
      expect((await host.run({ argv: ['sleep', '1.3'] })).code).toBe(0);
    });

    it('between two commands, and is reached again', async () => {
      const first = await land.sshd();
      const host = connect(first.target());
      await host.run({ argv: ['true'] });
      first.kill();
      await sleep(100);
      await expect(host.run({ argv: ['true'] })).rejects.toMatchObject({ code: 'host-refused' });
      await land.sshd({ port: first.port });
      expect((await host.run({ argv: ['true'] })).code).toBe(0);
    });

    it('while logging in: nothing listens any more for the one that asks a person', async () => {
      const strict = await land.sshd({
        config: ['LoginGraceTime 1'],
        authorized: [`${land.makeKey('slow', { passphrase: 'typed slowly' })}.pub`],
      });
      const secrets = createSecrets(async () => {
        await sleep(2500);
        return 'typed slowly';
      });
      // sshd hung up meanwhile; the answer is kept for the next connection.
      const host = connect(strict.target({ identityFiles: [{ file: land.file('slow'), isNamed: true }] }), { secrets });
      expect((await host.run({ argv: ['true'] })).code).toBe(0);
    });
  });

  describe('is let in by', () => {
    it.each([
      ['an ed25519 key', { type: 'ed25519' }],
      ['an ecdsa key', { type: 'ecdsa' }],
      ['an rsa key', { type: 'rsa' }],
      ['an rsa key in PEM', { type: 'rsa', format: 'PEM' }],
      ['an rsa key in PKCS #8', { type: 'rsa', format: 'PKCS8' }],
      ['an encrypted ed25519 key', { type: 'ed25519', passphrase: 'long phrase' }],
      ['an encrypted rsa key in PEM', { type: 'rsa', format: 'PEM', passphrase: 'long phrase' }],
      ['an encrypted ecdsa key in PKCS #8', { type: 'ecdsa', format: 'PKCS8', passphrase: 'long phrase' }],
    ] as const)('%s', async (what, options) => {
      const file = land.makeKey(what.replaceAll(/\W/g, ''), options);
      const one = await land.sshd({ authorized: [`${file}.pub`] });
      const asked: Question[] = [];
      const secrets = answering(() => 'long phrase', asked);
      const target = one.target({ identityFiles: [{ file, isNamed: true }] });
      expect((await whoami(target, { secrets })).code).toBe(0);
      expect(asked).toEqual('passphrase' in options ? [{ kind: 'passphrase', file, attempt: 1 }] : []);
    });

    it('an encrypted key in PEM without its public part beside it', async () => {
      const file = land.makeKey('lonely', { type: 'rsa', format: 'PEM', passphrase: 'x1x1x1' });
      const one = await land.sshd({ authorized: [`${file}.pub`] });
      writeFileSync(`${file}.only`, readFileSync(file), { mode: 0o600 });
      const target = one.target({ identityFiles: [{ file: `${file}.only`, isNamed: true }] });
      expect((await whoami(target, { secrets: answering(() => 'x1x1x1') })).code).toBe(0);
    });

    it('a key whose passphrase is asked once for all hosts, again when it is wrong, and not at all when the host would not take it', async () => {
      const file = land.makeKey('shared', { passphrase: 'right one' });
      const one = await land.sshd({ authorized: [`${file}.pub`] });
      const asked: Question[] = [];
      const ssh = openSsh({
        secrets: answering(
          (question) => ('attempt' in question && question.attempt === 1 ? 'wrong' : 'right one'),
          asked,
        ),
      });
      const target = one.target({ identityFiles: [{ file, isNamed: true }] });
      const hosts = Array.from({ length: 5 }, () => ssh.host(target));
      await Promise.all(hosts.map((host) => host.run({ argv: ['true'] })));
      expect(asked).toEqual([1, 2].map((attempt) => ({ kind: 'passphrase', file, attempt })));
      await expect(
        ssh.host(sshd.target({ identityFiles: [{ file, isNamed: true }] })).run({ argv: ['true'] }),
      ).rejects.toMatchObject({
        code: 'host-login-refused',
      });
      expect(asked.length).toBe(2);
      ssh.close();
    });

    it('an agent, also for a key of which only the public part is here', async () => {
      await withAgent(land, [land.file('user')], async (agentSocket) => {
        const target = sshd.target({ agentSocket, identityFiles: [], identitiesOnly: false });
        expect((await whoami(target)).code).toBe(0);
        const publicOnly = { identityFiles: [{ file: land.file('user.pub'), isNamed: true }], identitiesOnly: true };
        expect((await whoami({ ...target, ...publicOnly })).code).toBe(0);
      });
    });

    it('an agent with an rsa key', async () => {
      const file = land.makeKey('agentrsa', { type: 'rsa' });
      const one = await land.sshd({ authorized: [`${file}.pub`] });
      await withAgent(land, [file], async (agentSocket) => {
        expect((await whoami(one.target({ agentSocket, identityFiles: [], identitiesOnly: false }))).code).toBe(0);
      });
    });

    it('the key that netctl was told, although an agent is full of others', async () => {
      const others = Array.from({ length: 8 }, (_, index) => land.makeKey(`other${index}`));
      await withAgent(land, others, async (agentSocket) => {
        const crowded = { agentSocket, identitiesOnly: false };
        const named = { identityFiles: [], preferredIdentityFiles: [land.file('user')] };
        expect((await whoami(sshd.target({ ...crowded, ...named }))).code).toBe(0);
        expect((await whoami(sshd.target({ ...crowded, identitiesOnly: true }))).code).toBe(0);
        await expect(whoami(sshd.target(crowded))).rejects.toMatchObject({
          code: 'host-too-many-keys',
          message: expect.stringMatching(/hung up after \d keys or passwords/),
          details: expect.arrayContaining([
            expect.stringMatching(/^agent's key ED25519 SHA256:.* \(other0\): refused$/),
          ]),
        });
      });
    });

    it('two keys, when the server wants two', async () => {
      const second = land.makeKey('second');
      const both = await land.sshd({
        config: ['AuthenticationMethods publickey,publickey'],
        authorized: [land.file('user.pub'), `${second}.pub`],
      });
      const target = both.target({
        identityFiles: [land.file('user'), second].map((file) => ({ file, isNamed: true })),
      });
      expect((await whoami(target)).code).toBe(0);
    });

    it('nothing, and then lists what was tried', async () => {
      const wrong = land.makeKey('wrong');
      const open = land.makeKey('openkey');
      execFileSync('chmod', ['644', open]);
      const locked = land.makeKey('locked', { passphrase: 'unknown' });
      const other = await land.sshd({ authorized: [`${locked}.pub`] });
      const target = other.target({
        agentSocket: land.file('no-agent'),
        identityFiles: [wrong, open, locked, land.file('missing')].map((file) => ({ file, isNamed: true })),
      });
      await expect(whoami(target)).rejects.toMatchObject({
        code: 'host-login-refused',
        exit: 4,
        message: expect.stringMatching(
          /^node1: root@127\.0\.0\.1:\d+ does not let us in: no key or password was accepted$/,
        ),
        details: [
          expect.stringMatching(/^agent .*no-agent: Failed to connect to agent$/),
          `key ${open}: others may read it; netctl takes it after: chmod 600 ${open}`,
          `key ${land.file('missing')}: no such file`,
          expect.stringMatching(/^key .*wrong ED25519 SHA256:.*: refused$/),
          expect.stringMatching(/^key .*locked ED25519 SHA256:.*: it has a passphrase, which nobody gave$/),
          'keyboard-interactive: the server asked nothing and refused',
          'password: the server takes none',
        ],
      });
    });
  });

  describe('proves by its key that it is itself', () => {
    const knownFile = (name: string, lines: string): string => {
      const file = land.file(`known-${name}`);
      writeFileSync(file, lines);
      return file;
    };
    const at = () => `[127.0.0.1]:${sshd.port}`;
    const withKnown = (file: string, changes: Partial<SshTarget> = {}) =>
      sshd.target({ knownHosts: { user: [file], global: [] }, ...changes });

    it.each(['ed25519', 'ecdsa', 'rsa'] as const)('when only its %s key is known', async (type) => {
      const file = knownFile(type, `${at()} ${sshd.publicKey(type)}\n`);
      expect((await whoami(withKnown(file))).code).toBe(0);
    });

    it('when its name is hashed', async () => {
      const file = knownFile('hashed', `${at()} ${sshd.publicKey('rsa')}\n`);
      execFileSync('ssh-keygen', ['-q', '-H', '-f', file], { stdio: 'ignore' });
      expect((await whoami(withKnown(file))).code).toBe(0);
    });

    it('and is refused when nothing is known of it, with the fingerprint and the line to add', async () => {
      const file = knownFile('empty', '');
      const failure = await whoami(withKnown(file)).catch((error: unknown) => error);
      expect(failure).toMatchObject({
        code: 'host-key-unknown',
        message: `node1: the host key of root@127.0.0.1:${sshd.port} is not known: ED25519 ${fingerprintOf(sshd.publicKey('ed25519'))}`,
      });
      const command =
        failure instanceof Error && 'next' in failure && Array.isArray(failure.next) ? String(failure.next[1]) : '';
      execFileSync('sh', ['-c', command.replace(/^.*add it: /, '')]);
      expect((await whoami(withKnown(file))).code).toBe(0);
    });

    it('and is recorded under accept-new, once, so that a change is noticed', async () => {
      const file = land.file('fresh/known_hosts');
      const target = withKnown(file, { hostKey: 'accept-new' });
      await whoami(target);
      await whoami(target);
      expect(readFileSync(file, 'utf8')).toBe(`${at()} ${sshd.publicKey('ed25519')}\n`);
    });

    it('and is let pass without a record under off', async () => {
      const file = land.file('off/known_hosts');
      expect((await whoami(withKnown(file, { hostKey: 'off' }))).code).toBe(0);
      expect(existsSync(file)).toBe(false);
    });

    it.each(['strict', 'accept-new', 'off'] as const)(
      'and is refused under %s when the key has changed, with both keys and the way out',
      async (hostKey) => {
        const other = `${land.file(`changed-${hostKey}`)}`;
        execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', other]);
        const old = readFileSync(`${other}.pub`, 'utf8').split(' ').slice(0, 2).join(' ');
        const file = knownFile(`changed-${hostKey}.txt`, `other ${old}\n${at()} ${old}\n`);
        const before = sshd.log().match(/Accepted|Failed|Postponed/g)?.length ?? 0;
        const failure = await whoami(withKnown(file, { hostKey })).catch((error: unknown) => error);
        expect(failure).toMatchObject({
          code: 'host-key-changed',
          details: [
            `Shown now: ED25519 ${fingerprintOf(sshd.publicKey('ed25519'))}`,
            `Known: ED25519 ${fingerprintOf(old)}, ${file}:2`,
          ],
        });
        // Nothing was offered to the impostor.
        expect(sshd.log().match(/Accepted|Failed|Postponed/g)?.length ?? 0).toBe(before);
        const command =
          failure instanceof Error && 'next' in failure && Array.isArray(failure.next) ? String(failure.next[1]) : '';
        execFileSync('sh', ['-c', command.replace(/^.*old one: /, '')], { stdio: 'ignore' });
        await expect(whoami(withKnown(file))).rejects.toMatchObject({ code: 'host-key-unknown' });
      },
    );

    it('and is refused when the key is revoked, even where it is known', async () => {
      const file = knownFile(
        'revoked',
        `${at()} ${sshd.publicKey('ed25519')}\n@revoked * ${sshd.publicKey('ed25519')}\n`,
      );
      await expect(whoami(withKnown(file, { hostKey: 'off' }))).rejects.toMatchObject({ code: 'host-key-revoked' });
    });
  });

  describe('behind jump hosts', () => {
    it('is reached through two, each of which proves its key', async () => {
      const [outer, inner] = [await land.sshd(), await land.sshd()];
      const first = outer.target({ name: 'outer' });
      const second = inner.target({ name: 'inner', jumps: [first] });
      const target = sshd.target({ jumps: [first, second] });
      expect(text((await whoami(target)).stdout)).toBe('0\n');
      const unknown = { ...second, knownHosts: { user: [land.file('nothing')], global: [] } };
      await expect(whoami(sshd.target({ jumps: [first, unknown] }))).rejects.toMatchObject({
        code: 'host-jump-failed',
        message: expect.stringMatching(
          /^node1: the way there is closed: jump host inner: the host key of .* is not known/,
        ),
      });
    });

    it('shares one connection to the jump host with many others', async () => {
      const jump = await land.sshd();
      const hop = jump.target({ name: 'jump' });
      const ssh = openSsh();
      const outcomes = await forEachHost(Array.from({ length: 30 }), { atOnce: 30 }, (_, index) =>
        ssh.host(sshd.target({ name: `node${index}`, jumps: [hop] })).run({ argv: ['true'] }),
      );
      ssh.close();
      expect(outcomes.filter(({ kind }) => kind !== 'done')).toEqual([]);
      expect(jump.log().match(/Accepted publickey/g)?.length).toBe(1);
    });

    it('is not reached when the jump host is down, forwards nothing, or cannot reach it', async () => {
      const down = sshd.target({ name: 'down', port: await freePort() });
      await expect(whoami(sshd.target({ jumps: [down] }))).rejects.toMatchObject({
        code: 'host-jump-failed',
        message: expect.stringMatching(/^node1: the way there is closed: jump host down: nothing listens/),
      });
      const closed = (await land.sshd({ config: ['AllowTcpForwarding no'] })).target({ name: 'closed' });
      await expect(whoami(sshd.target({ jumps: [closed] }))).rejects.toMatchObject({
        code: 'host-jump-failed',
        message: expect.stringContaining('jump host closed forwards nothing'),
      });
      const jump = (await land.sshd()).target({ name: 'jump' });
      await expect(whoami(sshd.target({ port: await freePort(), jumps: [jump] }))).rejects.toMatchObject({
        code: 'host-refused',
        message: expect.stringMatching(
          /^node1: no connection to root@127\.0\.0\.1:\d+, through jump \(Connection refused\)$/,
        ),
      });
    });

    it('is lost with the jump host, and the message says so', async () => {
      const jump = await land.sshd();
      const begun = land.file('begun-behind');
      const host = connect(sshd.target({ jumps: [jump.target({ name: 'jump' })] }));
      const running = host.run({ argv: ['sh', '-c', 'touch "$0"; sleep 5', begun] });
      running.catch(() => undefined);
      while (!existsSync(begun)) await sleep(10);
      jump.kill();
      await expect(running).rejects.toMatchObject({
        code: 'host-died',
        message: expect.stringContaining('its jump host is gone'),
      });
    });
  });

  describe('among many', () => {
    it('is surveyed with nineteen others at once, though sshd drops what comes in heaps', async () => {
      const busy = await land.sshd({ config: ['MaxStartups 9:100:10'] });
      const ssh = openSsh();
      const outcomes = await forEachHost(Array.from({ length: 20 }), { atOnce: 20 }, (_, index) =>
        ssh.host(busy.target({ name: `node${index}` })).run({ argv: ['echo', String(index)] }),
      );
      ssh.close();
      const ends = outcomes.map((outcome) => (outcome.kind === 'done' ? text(outcome.value.stdout) : outcome));
      expect(ends, busy.log()).toEqual(Array.from({ length: 20 }, (_, index) => `${index}\n`));
    });

    it('is never met by more than eight handshakes at a time', async () => {
      let begun = 0;
      let given = 0;
      let most = 0;
      // Given up ones are counted where they are given up: this end sees that they are closed after the next ones have begun.
      const server = createServer((socket) => {
        most = Math.max(most, ++begun - given);
        socket.on('error', () => undefined).resume();
      });
      servers.push(server);
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      const ssh = openSsh();
      await forEachHost(Array.from({ length: 20 }), { atOnce: 20 }, () =>
        ssh
          .host(sshd.target({ port, connectTimeoutMs: 1000 }))
          .run({ argv: ['true'] })
          .finally(() => given++),
      );
      ssh.close();
      expect(begun).toBe(20);
      expect(most).toBeGreaterThanOrEqual(7);
      expect(most).toBeLessThanOrEqual(8);
    });

    it('does not keep the others waiting when it hangs', async () => {
      const hanging = await land.sshd();
      const target = hanging.target({ name: 'hanging', connectTimeoutMs: 3000 });
      hanging.freeze(true);
      const ssh = openSsh();
      const order: string[] = [];
      const targets = [target, ...Array.from({ length: 6 }, () => sshd.target())];
      const outcomes = await forEachHost(targets, { atOnce: 2 }, async (each) => {
        const { code } = await ssh
          .host(each)
          .run({ argv: ['true'] })
          .finally(() => order.push(each.name));
        return code;
      });
      ssh.close();
      expect(outcomes.map(({ kind }) => kind)).toEqual(['failed', ...Array.from({ length: 6 }, () => 'done')]);
      expect(order.at(-1)).toBe('hanging');
    });
  });
});

async function withAgent(
  land: SshLand,
  keys: readonly string[],
  work: (socket: string) => Promise<void>,
): Promise<void> {
  const socket = land.file(`agent-${randomBytes(4).toString('hex')}`);
  const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
  try {
    while (!existsSync(socket)) await sleep(10);
    for (const key of keys)
      execFileSync('ssh-add', ['-q', key], { env: { ...process.env, SSH_AUTH_SOCK: socket }, stdio: 'ignore' });
    await work(socket);
  } finally {
    agent.kill();
  }
}
