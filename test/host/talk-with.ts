import type { Host } from '../../src/lib/host/host';

/** A program that waits for an answer to what it says; gives its last line, and all that was heard while it ran. */
export async function talkWith(host: Host): Promise<{ readonly answered: string; readonly said: string }> {
  let said = '';
  let heard: (text: string) => void = () => undefined;
  const first = new Promise<string>((resolve) => {
    heard = resolve;
  });
  const output = await host.run({
    argv: ['sh', '-c', 'echo first; read -r answer; echo "you said: $answer"'],
    async *stdin() {
      yield Buffer.from((await first) === 'first\n' ? 'second\n' : 'what?\n');
    },
    onStdout: (chunk) => {
      said += Buffer.from(chunk).toString();
      heard(said);
    },
    timeoutMs: 20_000,
  });
  return {
    answered:
      Buffer.from(output.stdout)
        .toString()
        .split(/(?<=\n)/)[1] ?? '',
    said,
  };
}
