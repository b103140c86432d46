import { randomBytes } from 'node:crypto';
import { Unreachable } from '../errors';
import type { Command, Host, Output } from './host';

export interface SudoOptions {
  /** Asked once, and only when sudo wants it; undefined when nobody can be asked. */
  readonly password?: (attempt: number) => Promise<string | undefined>;
}

type Mode =
  | { readonly kind: 'root' }
  | { readonly kind: 'nopasswd' }
  | { readonly kind: 'password'; readonly password: string };

const passwordTries = 3;

/**
 * The same host with every command run as root: as it is when we are root already, else through sudo.
 *
 * A password goes in on standard input, ahead of the command's own, and stands in no argument. It was tried once before, so that
 * sudo never takes a line of the command's input for a second try; and a command that sudo runs without asking never sees it.
 */
export function sudo(host: Host, options: SudoOptions = {}): Host {
  let mode: Promise<Mode> | undefined;
  return {
    name: host.name,
    async run(command, signal) {
      if (mode === undefined) {
        const asking = findMode(host, options, signal);
        mode = asking;
        asking.catch(() => {
          if (mode === asking) mode = undefined;
        });
      }
      const found = await mode;
      if (found.kind === 'root') return host.run(command, signal);
      const output = await host.run(
        found.kind === 'nopasswd'
          ? { ...command, argv: ['sudo', '-n', '--', ...command.argv] }
          : withPassword(command, found.password),
        signal,
      );
      refuseIfSudoSaysSo(host, output);
      return output;
    },
    close: () => host.close(),
  };
}

const probe = `id -u
[ "$(id -u)" = 0 ] && exit
command -v sudo >/dev/null 2>&1 || { echo missing; exit; }
sudo -n true 2>&1 </dev/null && echo ready`;

async function findMode(host: Host, options: SudoOptions, signal: AbortSignal | undefined): Promise<Mode> {
  const { stdout } = await host.run({ argv: ['sh', '-c', probe] }, signal);
  const [uid = '', ...rest] = Buffer.from(stdout).toString('utf8').trim().split('\n');
  const said = rest.join('\n');
  if (uid === '0') return { kind: 'root' };
  if (said === 'missing') {
    throw new Unreachable({
      code: 'sudo-missing',
      message: `${host.name}: root is needed, we are not root there, and it has no sudo`,
      next: ['Log in as root: ssh.user in netctl.yaml', 'Or install sudo there'],
    });
  }
  if (/\bready$/.test(said)) return { kind: 'nopasswd' };
  // Some commands are allowed without a password though not this one; the command itself will tell.
  if (/is not allowed to execute/.test(said)) return { kind: 'nopasswd' };
  const refusal = refusalIn(host, said);
  if (refusal !== undefined && refusal.code !== 'sudo-password-needed') throw refusal;
  return askPassword(host, options, signal, said);
}

async function askPassword(
  host: Host,
  options: SudoOptions,
  signal: AbortSignal | undefined,
  said: string,
): Promise<Mode> {
  for (let attempt = 1; attempt <= passwordTries; attempt++) {
    const password = await options.password?.(attempt);
    signal?.throwIfAborted();
    if (password === undefined) throw passwordNeeded(host, said);
    // -k: what sudo remembers must not pass for a right password.
    const tried = await host.run(
      { argv: ['sudo', '-k', '-S', '-p', '', '-v'], stdin: passwordLine(password), secret: true },
      signal,
    );
    if (tried.code === 0) return { kind: 'password', password };
    const text = Buffer.from(tried.stderr).toString('utf8');
    const refusal = refusalIn(host, text);
    if (refusal !== undefined && refusal.code !== 'sudo-password-needed') throw refusal;
    if (!/incorrect password|no password was provided|try again/i.test(text)) throw notAllowed(host, text);
  }
  throw new Unreachable({
    code: 'sudo-password-wrong',
    message: `${host.name}: sudo does not take the password`,
    next: ['It is the password of the user that we log in as, on that host.'],
  });
}

function passwordLine(password: string): Uint8Array {
  return Buffer.from(`${password}\n`);
}

/** sudo reads the password, or nothing when it does not ask; then the shell takes lines up to the mark; the rest is the command's. */
function withPassword(command: Command, password: string): Command {
  const mark = `netctl-${randomBytes(9).toString('hex')}`;
  const skip = 'while IFS= read -r line && [ "$line" != "$0" ]; do :; done; exec "$@"';
  return {
    ...command,
    argv: ['sudo', '-k', '-S', '-p', '', '--', 'sh', '-c', skip, mark, ...command.argv],
    async *stdin() {
      yield Buffer.from(`${password}\n${mark}\n`);
      if (typeof command.stdin === 'function') yield* command.stdin();
      else if (command.stdin !== undefined) yield command.stdin;
    },
  };
}

/** What sudo itself says instead of running a command. LC_ALL=C makes it English. */
function refuseIfSudoSaysSo(host: Host, output: Output): void {
  if (output.code !== 1 || output.stdout.length > 0) return;
  const refusal = refusalIn(host, Buffer.from(output.stderr.subarray(0, 4096)).toString('utf8'));
  if (refusal !== undefined) throw refusal;
}

function refusalIn(host: Host, text: string): Unreachable | undefined {
  if (/^sudo: .*you must have a tty to run sudo/m.test(text)) {
    return new Unreachable({
      code: 'sudo-needs-terminal',
      message: `${host.name}: its sudo runs on a terminal only (requiretty)`,
      next: [
        "Put 'Defaults:USER !requiretty' into a file in /etc/sudoers.d there",
        'Or log in as root: ssh.user in netctl.yaml',
      ],
    });
  }
  if (/ is not in the sudoers file|^Sorry, user .* (?:may not run sudo|is not allowed to execute)/m.test(text)) {
    return notAllowed(host, text);
  }
  if (
    /^sudo: (?:a password is required|a terminal is required to read the password|\d+ incorrect password attempts?)/m.test(
      text,
    )
  ) {
    return passwordNeeded(host, text);
  }
  if (/^sudo: .*(?:must be owned by uid 0 and have the setuid bit set|effective uid is not 0)/m.test(text)) {
    return notAllowed(host, text);
  }
  return undefined;
}

function passwordNeeded(host: Host, said: string): Unreachable {
  return new Unreachable({
    code: 'sudo-password-needed',
    message: `${host.name}: its sudo wants a password and none was given`,
    details: linesOf(said),
    next: [
      'Let netctl ask for it: ssh.sudo: password in netctl.yaml',
      'Or allow it without: NOPASSWD in /etc/sudoers.d there',
    ],
  });
}

function notAllowed(host: Host, said: string): Unreachable {
  const [first = 'it gave no reason', ...rest] = linesOf(said);
  return new Unreachable({
    code: 'sudo-not-allowed',
    message: `${host.name}: sudo refuses us: ${first}`,
    details: rest,
    next: [
      'Add the user to the group sudo (wheel), or to a file in /etc/sudoers.d there',
      'Or log in as root: ssh.user in netctl.yaml',
    ],
  });
}

function linesOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => line.trim() !== '');
}
