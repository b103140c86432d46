import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { outputFormats } from '../../src/lib/view/format';
import type { RecordView } from '../../src/lib/view/record';
import { renderRecord } from '../../src/lib/view/record';
import { expectHarmless, hostileText } from './hostile';
import { expectGolden, pipe, screens, terminal } from './screens';

interface Net {
  readonly network: string;
  readonly note: string;
  readonly owner: string | null;
  readonly backend: { readonly type: string; readonly port: number };
  readonly nodes: readonly string[];
}

const net: Net = {
  network: '10.1.0.0/16',
  note: 'This network was made by somebody who wrote a long sentence about it, with a \x1b[31mcolour\x1b[0m and 測試 in it.',
  owner: null,
  backend: { type: 'vxlan', port: 8472 },
  nodes: ['a', 'b'],
};

const view: RecordView<Net> = {
  kind: 'Network',
  name: (value) => value.network,
  sections: [
    {
      lines: (value) => [
        ['Network', { text: value.network, tone: 'strong' }],
        ['Note', value.note],
        ['Owner', value.owner],
      ],
    },
    {
      title: 'Backend',
      lines: (value) => [
        ['Type', { text: value.backend.type, tone: 'good' }],
        ['UDP port', value.backend.port],
        `Every node must be able to send UDP to port ${value.backend.port} of every other node.`,
      ],
    },
    { title: 'Nothing to see', lines: () => [] },
  ],
};

async function textOf(...args: Parameters<typeof renderRecord<Net>>): Promise<string> {
  return [...(await renderRecord(...args))].join('');
}

describe('a record', () => {
  for (const format of outputFormats) {
    const forPeople = format === 'table' || format === 'wide';
    for (const [name, screen] of screens) {
      it(`looks as it always did as ${format} on ${name}`, async () => {
        expectGolden(forPeople ? `record-${name}` : `record-${format}`, await textOf(net, view, format, screen));
      });
    }
  }

  it('is the value with its frame in JSON and YAML, and the frame has the last word', async () => {
    const expected = { apiVersion: 'netctl/v1', kind: 'Network', ...net };
    expect(JSON.parse(await textOf(net, view, 'json', pipe))).toEqual(expected);
    expect(parse(await textOf(net, view, 'yaml', pipe))).toEqual(expected);
    const liar = { ...net, kind: 'Fake', apiVersion: 'evil/v1' };
    expect(JSON.parse(await textOf(liar, view, 'json', pipe))).toEqual(expected);
  });

  it('fits the terminal', async () => {
    for (const columns of [35, 40, 60, 80, 100]) {
      const ascii = { ...net, note: `${net.note.replace(/[^ -~]/g, '')} ${'x'.repeat(200)}` };
      for (const line of (await textOf(ascii, view, 'table', terminal(columns))).split('\n')) {
        expect(line.length).toBeLessThanOrEqual(columns);
        expect(line).toBe(line.trimEnd());
      }
    }
  });

  it('shows the beginning of a value of a megabyte', async () => {
    const text = await textOf({ ...net, note: 'y'.repeat(1_048_576) }, view, 'table', terminal(80));
    expect(text).toContain('(1,048,576 bytes)');
    expect(text.length).toBeLessThan(3_000);
  });

  it('is harmless in every format, whatever its texts are', async () => {
    await fc.assert(
      fc.asyncProperty(
        hostileText,
        fc.constantFrom(...outputFormats),
        fc.constantFrom(pipe, terminal(40, 1), terminal(21)),
        async (text, format, screen) => {
          const hostile: RecordView<Net> = {
            kind: 'Network',
            name: () => text,
            sections: [{ title: text, lines: () => [[text, text], [text, { text, tone: 'bad' }], text] }],
          };
          const value = { ...net, note: text, nodes: [text], [text]: text };
          expectHarmless(await textOf(value, hostile, format, screen), screen);
        },
      ),
      { numRuns: 600 },
    );
  });
});
