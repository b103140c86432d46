import { Command } from '@oclif/core/command';
import type { ExitCode } from '../errors';
import type { Problem } from '../net/problem';
import type { OutputFormat, Screen } from '../view/format';
import { isForPeople, screenOf } from '../view/format';
import type { ListView } from '../view/list';
import type { RecordView } from '../view/record';
import type { Rows } from '../view/rows';
import { safeText } from '../view/safe-text';
import { inventoryFlags } from './flags';

export interface OutputChoice {
  readonly output?: OutputFormat | undefined;
  readonly json?: boolean | undefined;
}

/**
 * What every netctl command can do besides its work: data to stdout in the format asked for, talk to stderr.
 * `run()` gives no value back and never calls `process.exit`; `exitWith` sets the code of a run that ended well but found problems.
 */
export abstract class NetctlCommand extends Command {
  static override baseFlags = inventoryFlags();

  readonly screen: Screen = screenOf(process.stdout, process.env);
  readonly talkScreen: Screen = screenOf(process.stderr, process.env);

  protected format(flags: OutputChoice): OutputFormat {
    return flags.json === true ? 'json' : (flags.output ?? 'table');
  }

  /** A line for the person, on stderr, so that a pipe gets the data alone. */
  say(line: string): void {
    process.stderr.write(`${safeText(line)}\n`);
  }

  /** Text of our own views for the person, on stderr. */
  talk(chunks: Iterable<string>): void {
    for (const chunk of chunks) process.stderr.write(chunk);
  }

  /** Text of our own views, which have made their values harmless and may carry colour. */
  async write(chunks: Iterable<string> | AsyncIterable<string>): Promise<void> {
    for await (const chunk of chunks) {
      // A slow pipe must not make us hold a list of 65,536 rows in its buffer.
      if (!process.stdout.write(chunk)) await drained(process.stdout);
    }
  }

  protected async printList<T>(
    rows: Rows<T>,
    view: ListView<T>,
    flags: OutputChoice,
    extra?: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    const { hiddenColumnsNote, renderList } = await import('../view/list');
    const rendered = await renderList(rows, view, this.format(flags), this.screen, extra);
    await this.write(rendered);
    const note = hiddenColumnsNote(rendered.hidden);
    if (note !== undefined) this.say(note);
  }

  /** A document of rows: for people as a text of its own, in the data formats as a list. */
  protected async printDocument<T>(
    document: { readonly items: readonly T[] },
    view: ListView<T>,
    flags: OutputChoice,
    render: () => Promise<Iterable<string>>,
  ): Promise<void> {
    if (isForPeople(this.format(flags))) return this.write(await render());
    const { items, ...extra } = document;
    return this.printList(items, view, flags, extra);
  }

  async printRecord<T extends object>(value: T, view: RecordView<T>, flags: OutputChoice): Promise<void> {
    const { renderRecord } = await import('../view/record');
    await this.write(await renderRecord(value, view, this.format(flags), this.screen));
  }

  /** A record on stderr, for a person who is about to be asked. */
  async talkRecord<T extends object>(value: T, view: RecordView<T>): Promise<void> {
    const { renderRecord } = await import('../view/record');
    this.talk(await renderRecord(value, view, 'table', this.talkScreen));
  }

  /** Below a record, for people; the data formats carry the problems in the document itself. */
  protected async printProblems(problems: readonly Problem[], flags: OutputChoice): Promise<void> {
    const format = this.format(flags);
    if (problems.length === 0 || (format !== 'table' && format !== 'wide')) return;
    const { renderProblems } = await import('../view/problem');
    await this.write(['\n', await renderProblems(problems, this.screen)]);
  }

  protected exitWith(code: ExitCode): void {
    process.exitCode = code;
  }
}

/** Until there is room again, or nobody reads any more (`netctl … | head`): then `main` ends the run. */
function drained(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    const events = ['drain', 'close', 'error'] as const;
    const go = (): void => {
      for (const event of events) stream.off(event, go);
      resolve();
    };
    for (const event of events) stream.once(event, go);
  });
}
