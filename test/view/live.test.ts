import { describe, expect, it } from 'vitest';
import type { LiveStream } from '../../src/lib/view/live';
import { live } from '../../src/lib/view/live';
import { progress } from '../../src/lib/view/progress';
import { pipe, terminal } from './screens';

class Recorder implements LiveStream {
  columns = 80;
  rows = 10;
  text = '';
  readonly listeners = new Set<() => void>();
  write(text: string): void {
    this.text += text;
  }
  on(_event: 'resize', listener: () => void): void {
    this.listeners.add(listener);
  }
  off(_event: 'resize', listener: () => void): void {
    this.listeners.delete(listener);
  }
  take(): string {
    const text = this.text;
    this.text = '';
    return text;
  }
}

/** What a terminal of that height shows after these bytes: enough of one for what `live` sends. */
function shown(bytes: string): string {
  const lines: string[] = [''];
  let row = 0;
  for (const [token, up] of bytes.matchAll(/\x1b\[(\d+)A|\x1b\[J|\x1b\[\?\d+[hl]|\r|\n|[^\x1b\r\n]+/g)) {
    if (up !== undefined) row -= Number(up);
    else if (token === '\x1b[J') lines.length = row;
    else if (token === '\n') row++;
    else if (!token.startsWith('\x1b') && token !== '\r') lines[row] = token;
  }
  return lines.join('\n');
}

describe('a live block', () => {
  it('replaces itself on a terminal, shorter or longer', () => {
    const stream = new Recorder();
    const block = live(stream, terminal(80));
    block.show('one\ntwo\n');
    block.show('1\n2\n3\n');
    block.show('last\n');
    expect(shown(stream.text)).toBe('last');
  });

  it('is cut to the height of the terminal', () => {
    const stream = new Recorder();
    const block = live(stream, terminal(80));
    for (const word of ['a', 'b'])
      block.show(Array.from({ length: 100 }, (_none, index) => `${word}${index}\n`).join(''));
    expect(shown(stream.text).split('\n')).toEqual([
      ...Array.from({ length: 8 }, (_none, index) => `b${index}`),
      '(92 more lines)',
    ]);
  });

  it('leaves wrapping on after every write, and never hides the cursor', () => {
    const stream = new Recorder();
    const block = live(stream, terminal(80));
    block.show('a\n');
    const bytes = stream.take();
    expect(bytes.lastIndexOf('\x1b[?7h')).toBeGreaterThan(bytes.lastIndexOf('\x1b[?7l'));
    expect(bytes).not.toContain('\x1b[?25l');
    block.end();
    expect(stream.take()).toBe('');
  });

  it('counts the rows that a narrower terminal has made of its lines, and tells the new size', () => {
    const stream = new Recorder();
    const sizes: number[] = [];
    const block = live(stream, terminal(80), (screen) => sizes.push(screen.columns));
    block.show(`${'x'.repeat(70)}\nshort\n`);
    stream.take();
    stream.columns = 30;
    for (const listener of stream.listeners) listener();
    expect(stream.take()).toContain('\x1b[4A');
    expect(sizes).toEqual([30]);
    block.end();
    expect(stream.listeners.size).toBe(0);
    block.show('too late\n');
    expect(stream.take()).toBe('');
  });

  it('is appended to a pipe, but only when it has changed', () => {
    const stream = new Recorder();
    const block = live(stream, pipe);
    for (const text of ['a\n', 'a\n', 'b\n']) block.show(text);
    expect(stream.text).toBe('a\nb\n');
  });
});

describe('progress', () => {
  it('is silent in a pipe', () => {
    const stream = new Recorder();
    const line = progress(stream, pipe, 'asking', () => 1e9);
    line.update(1, 2);
    line.end();
    expect(stream.text).toBe('');
  });

  it('waits, then shows a line at most every tenth of a second, and erases it', () => {
    const stream = new Recorder();
    let nowMs = 0;
    const line = progress(stream, terminal(80), 'asking TTLs', () => nowMs);
    line.update(1, 65_536);
    expect(stream.take()).toBe('');
    nowMs = 300;
    line.update(12_345, 65_536);
    line.update(12_346, 65_536);
    expect(stream.take()).toBe('\r\x1b[Kasking TTLs  12,345 of 65,536  18%');
    nowMs = 400;
    line.update(7);
    expect(stream.take()).toBe('\r\x1b[Kasking TTLs  7');
    line.end();
    expect(stream.take()).toBe('\r\x1b[K');
    line.end();
    nowMs = 9_999;
    line.update(8);
    expect(stream.take()).toBe('');
  });

  it('writes nothing at all when it was over at once', () => {
    const stream = new Recorder();
    const line = progress(stream, terminal(80), 'asking', () => 0);
    line.update(1, 1);
    line.end();
    expect(stream.text).toBe('');
  });

  it('never fills the line', () => {
    const stream = new Recorder();
    let nowMs = 0;
    const line = progress(stream, terminal(20), 'a long label that does not fit', () => nowMs);
    nowMs = 1_000;
    line.update(1);
    expect(stream.text).toBe('\r\x1b[Ka long label that d');
  });
});
