import { InvalidInput } from '../errors';

/** Linux takes no longer single argument (MAX_ARG_STRLEN, 32 pages), and the login shell gets the whole text as one. */
const longestTextBytes = 128 * 1024 - 1;

/** Words as one line that any POSIX shell reads back as the same words. */
export function shellText(argv: readonly string[]): string {
  return argv.map(shellQuoted).join(' ');
}

function shellQuoted(word: string): string {
  return /^[A-Za-z0-9_@%+:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/**
 * A command as the text that sshd hands to the user's login shell, whichever that is: sh, bash, zsh, fish and csh read it alike.
 *
 * It starts `sh`, which writes the marker on both outputs, and the process's number with a colon, and then becomes the command.
 * What a talkative `.bashrc` says stands before the marker; a shell that runs nothing (nologin, a forced command) never writes it.
 * @throws InvalidInput `command-unsendable` a word with NUL or half a surrogate pair, or a text that is too long
 */
export function loginShellText(argv: readonly string[], marker: string, input: 'stdin' | 'nothing' = 'stdin'): string {
  for (const word of argv) {
    if (/[\0\p{Cs}]/u.test(word)) {
      throw new InvalidInput({
        code: 'command-unsendable',
        message: `the word ${JSON.stringify(word.slice(0, 80))} cannot be given to a command: it has ${word.includes('\0') ? 'a NUL byte' : 'half a surrogate pair'}`,
      });
    }
  }
  const prepare =
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is sh's
    'LC_ALL=C PATH=${PATH:-/usr/bin:/bin}:/usr/local/sbin:/usr/sbin:/sbin;export LC_ALL PATH;' +
    `printf %s ${marker}$$:;printf %s ${marker}$$: >&2;${input === 'nothing' ? 'exec </dev/null;' : ''}`;
  const text = argv.every(isSameInEveryShell)
    ? `exec /bin/sh -c '${prepare}exec "$@"' sh ${argv.map((word) => (/^[A-Za-z0-9_/.:-]+$/.test(word) ? word : `'${word}'`)).join(' ')}`
    : `exec /bin/sh -c '${prepare}eval "exec $(printf %b "${asciiEscaped(shellText(argv))}")"'`;
  if (text.length > longestTextBytes) {
    throw new InvalidInput({
      code: 'command-unsendable',
      message: `the command ${JSON.stringify(argv[0])} makes ${text.length} bytes of shell text; a host takes at most ${longestTextBytes}`,
      next: ['Give what is long on standard input.'],
    });
  }
  return text;
}

/** What stands after the marker, and the number of the command's process, which leads its group. */
export function afterMarker(
  bytes: Buffer,
  marker: string,
): { readonly pid: number; readonly rest: Buffer } | undefined {
  const at = bytes.indexOf(marker);
  if (at < 0) return undefined;
  const begin = at + marker.length;
  const end = bytes.indexOf(':', begin);
  if (end < 0) return undefined;
  return { pid: Number(bytes.toString('latin1', begin, end)), rest: bytes.subarray(end + 1) };
}

/** Asks the command to end, and all that it started; ends what is left after a second. */
export function stopText(pid: number): string {
  // Without "--", which dash and busybox take for a number.
  const all = `kill -TERM -${pid} || kill -TERM ${pid}`;
  const wait = 'for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.1';
  return `exec /bin/sh -c '${all}; ${wait}; kill -0 -${pid} || exit 0; done; kill -KILL -${pid}' >/dev/null 2>/dev/null`;
}

/** Within single quotes csh acts on `!` and line ends, fish on backslashes; what is not ASCII depends on the locale. */
function isSameInEveryShell(word: string): boolean {
  return /^[ -~]*$/.test(word) && !/['\\!]/.test(word);
}

/** For `printf %b "…"` inside single quotes: nothing is left that any shell would act on. */
function asciiEscaped(text: string): string {
  return Array.from(new TextEncoder().encode(text), (byte) => {
    const character = String.fromCharCode(byte);
    return /[A-Za-z0-9_/.:,;=+@ {}()[\]<>|&*?#^~-]/.test(character)
      ? character
      : `\\0${byte.toString(8).padStart(3, '0')}`;
  }).join('');
}

/** A command for a message: short, on one line, without secrets. */
export function describeCommand(command: {
  readonly argv: readonly [string, ...string[]];
  readonly secret?: true;
}): string {
  if (command.secret === true) return `${command.argv[0]} …`;
  const text = shellText(command.argv).replaceAll(/\s+/g, ' ');
  return text.length > 100 ? `${text.slice(0, 99)}…` : text;
}
