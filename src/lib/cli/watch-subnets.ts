import { checkLeases } from '../check/leases';
import { subnetRows } from '../check/subnet-rows';
import { InvalidInput } from '../errors';
import { readLeases } from '../net/lease';
import { judgeConfig } from '../net/network-config';
import type { NodeRef } from '../net/node-ref';
import type { SubnetRow } from '../net/subnet-query';
import { subnetChanges } from '../plan/subnet-changes';
import type { Entry, Revision, WatchBatch } from '../store/store';
import { plural } from '../view/count';
import type { OutputFormat, Screen } from '../view/format';
import { renderList } from '../view/list';
import { live } from '../view/live';
import { safeJson, safeText } from '../view/safe-text';
import { subnetEventLine } from '../view/subnet-event';
import { subnetItem } from '../view/subnet-item';
import { subnetListView } from '../view/subnet-list';
import type { NetctlCommand } from './command';
import type { NetworkReading } from './session';
import { askTtls, emptyText, needsAllTtls, type RowWish, ttlsWithoutAsking } from './subnet-reading';

/** A burst of changes, such as a fleet that starts, is drawn once. */
const redrawMs = 100;
const tickMs = 1000;
/** A renewal becomes overdue by time alone, so problems are looked for again without any change. */
const judgeEveryMs = 30_000;

/** A TTL as it was told, and when: it is counted down without asking again. */
interface ToldTtl {
  readonly seconds: number;
  readonly atMs: number;
}

/**
 * Shows subnets as they come, change and go, until the process is interrupted. On a terminal the table is drawn again;
 * in a pipe each change is a line, with `-o json` a JSON document.
 */
export async function watchSubnets(
  command: NetctlCommand,
  network: NetworkReading,
  nodes: readonly NodeRef[],
  wish: RowWish,
  format: OutputFormat,
): Promise<void> {
  if (format !== 'table' && format !== 'wide' && format !== 'json') {
    throw new InvalidInput({
      code: 'watch-format',
      message: `--watch cannot print ${format}; it prints table, wide and json (one document a line)`,
      next: ['netctl subnets ls --watch -o json'],
    });
  }
  const watched = new WatchedSubnets(network, nodes, wish);
  if (watched.asksTtls) watched.told(await askTtls(network, undefined));
  const isDrawn = command.screen.isTerminal && format !== 'json';
  const out: Output = isDrawn
    ? new Drawn(watched, command.screen, format)
    : new Lines(watched, command, format === 'json');
  await out.begin();
  const batches = network.store.watch(`${network.prefix}/`, {
    from: network.snapshot.revision,
    signal: new AbortController().signal,
    notice: ({ message }) => out.notice(message),
  });
  let before = watched.rows();
  for await (const batch of batches) {
    await watched.take(batch);
    const after = watched.rows();
    await out.changed(before, after);
    before = after;
  }
}

interface Output {
  begin(): Promise<void>;
  changed(before: readonly SubnetRow[], after: readonly SubnetRow[]): Promise<void>;
  notice(message: string): void;
}

/** The network as it is by now. */
class WatchedSubnets {
  private readonly network: NetworkReading;
  private readonly nodes: readonly NodeRef[];
  private readonly wish: RowWish;
  private entries: Map<string, Entry>;
  private ttls = new Map<string, ToldTtl>();
  private reading: NetworkReading['leases'] | undefined;
  private judged: { readonly rows: readonly SubnetRow[]; readonly atMs: number } | undefined;
  revision: Revision;

  constructor(network: NetworkReading, nodes: readonly NodeRef[], wish: RowWish) {
    this.network = network;
    this.nodes = nodes;
    this.wish = wish;
    this.entries = byKey(network.snapshot.entries);
    this.revision = network.snapshot.revision;
  }

  get asksTtls(): boolean {
    return this.wish.ttl ?? (needsAllTtls(this.wish) || this.entries.size <= ttlsWithoutAsking);
  }

  /** Why there is nothing to show. */
  get empty(): string {
    return emptyText({ prefix: this.network.prefix, leases: this.read() });
  }

  /** All leases, filtered and in order; TTLs as of now. */
  rows(): readonly SubnetRow[] {
    const nowMs = performance.now();
    if (this.judged === undefined || nowMs - this.judged.atMs > judgeEveryMs) {
      this.judged = { rows: this.judge(nowMs), atMs: nowMs };
    }
    const rows = this.judged.rows.map((row) => {
      const told = this.ttls.get(row.lease.key);
      return told === undefined ? row : { ...row, ttlSeconds: secondsLeft(told, nowMs) };
    });
    const wanted = rows.filter((row) => this.wish.filter.test(row));
    return this.wish.sort === null ? wanted : wanted.sort(this.wish.sort.compare);
  }

  async take(batch: WatchBatch): Promise<void> {
    this.reading = undefined;
    this.judged = undefined;
    if (batch.type === 'reset') {
      this.entries = byKey(batch.snapshot.entries);
      this.revision = batch.snapshot.revision;
      this.ttls.clear();
      await this.learnTtls(this.entries.values());
      return;
    }
    const put: Entry[] = [];
    for (const event of batch.events) {
      if (event.type === 'put') {
        this.entries.set(event.entry.key, event.entry);
        // What was told of the key before it was renewed must not be counted down further.
        this.ttls.delete(event.entry.key);
        put.push(event.entry);
      } else {
        this.entries.delete(event.key);
        this.ttls.delete(event.key);
      }
    }
    this.revision = batch.revision;
    await this.learnTtls(put);
  }

  private async learnTtls(entries: Iterable<Entry>): Promise<void> {
    if (!this.asksTtls) return;
    const leased = Array.from(entries).filter((entry) => !entry.permanent);
    const told = await this.network.store.ttls(leased).catch(() => undefined);
    // etcd may be away at this moment; the table then has a gap until the next renewal, and the watch says so itself.
    if (told !== undefined) this.told(told);
  }

  told(seconds: ReadonlyMap<string, number>): void {
    this.judged = undefined;
    const atMs = performance.now();
    for (const [key, left] of seconds) this.ttls.set(key, { seconds: left, atMs });
  }

  private judge(nowMs: number): readonly SubnetRow[] {
    const { api, prefix, version } = this.network;
    const reading = this.read();
    const effective = reading.config === null ? null : judgeConfig(reading.config.value, version).effective;
    const ttls = new Map(Array.from(this.ttls, ([key, told]) => [key, secondsLeft(told, nowMs)]));
    const problems = checkLeases({ api, prefix, version, reading, effective, nodes: this.nodes, ttls });
    return subnetRows(reading.leases, this.nodes, problems, ttls);
  }

  private read(): NetworkReading['leases'] {
    const { api, prefix, version } = this.network;
    this.reading ??= readLeases({ api, entries: this.entries.values() }, prefix, version);
    return this.reading;
  }
}

function byKey(entries: Iterable<Entry>): Map<string, Entry> {
  return new Map(Array.from(entries, (entry) => [entry.key, entry]));
}

function secondsLeft({ seconds, atMs }: ToldTtl, nowMs: number): number {
  return Math.max(0, Math.round(seconds - (nowMs - atMs) / 1000));
}

class Drawn implements Output {
  private readonly watched: WatchedSubnets;
  private readonly format: OutputFormat;
  private readonly block;
  private screen: Screen;
  private note = '';
  private timer: NodeJS.Timeout | undefined;

  constructor(watched: WatchedSubnets, screen: Screen, format: OutputFormat) {
    this.watched = watched;
    this.screen = screen;
    this.format = format;
    this.block = live(process.stdout, screen, (resized) => {
      this.screen = resized;
      void this.draw();
    });
  }

  async begin(): Promise<void> {
    await this.draw();
    setInterval(() => void this.tick(), tickMs);
  }

  async changed(): Promise<void> {
    this.note = '';
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      void this.draw();
    }, redrawMs);
  }

  notice(message: string): void {
    this.note = safeText(message);
    void this.draw();
  }

  /** Nothing but times changes by itself. */
  private async tick(): Promise<void> {
    if (this.watched.asksTtls) await this.draw();
  }

  private async draw(): Promise<void> {
    const rows = this.watched.rows();
    const view = subnetListView(this.watched.asksTtls, this.watched.empty);
    const list = await renderList(rows.map(subnetItem), view, this.format, this.screen);
    const foot = `${plural(rows.length, 'subnet')}, revision ${this.watched.revision}. Ctrl-C ends.`;
    const hidden = list.hidden.length === 0 ? '' : `hidden: ${list.hidden.join(', ')} (-o wide shows all)\n`;
    this.block.show(`${[...list].join('')}\n${this.note === '' ? foot : `${foot} ${this.note}`}\n${hidden}`);
  }
}

class Lines implements Output {
  private readonly watched: WatchedSubnets;
  private readonly command: NetctlCommand;
  private readonly json: boolean;

  constructor(watched: WatchedSubnets, command: NetctlCommand, json: boolean) {
    this.watched = watched;
    this.command = command;
    this.json = json;
  }

  async begin(): Promise<void> {
    await this.changed([], this.watched.rows(), true);
  }

  async changed(before: readonly SubnetRow[], after: readonly SubnetRow[], first = false): Promise<void> {
    const lines: string[] = [];
    for (const { type, row } of subnetChanges(before, after)) {
      const event = {
        apiVersion: 'netctl/v1',
        kind: 'SubnetEvent',
        type: first ? ('present' as const) : type,
        time: new Date().toISOString(),
        revision: this.watched.revision,
        item: subnetItem(row),
      };
      lines.push(`${this.json ? safeJson(event) : subnetEventLine(event)}\n`);
    }
    await this.command.write(lines);
  }

  notice(message: string): void {
    this.command.say(message);
  }
}
