import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { outputFormats } from '../../src/lib/view/format';
import type { ListView } from '../../src/lib/view/list';
import { hiddenColumnsNote, renderList } from '../../src/lib/view/list';
import { renderTable } from '../../src/lib/view/table';
import { expectHarmless, hostileText, hostileValue } from './hostile';
import { expectGolden, pipe, screens, terminal } from './screens';
import type { Row } from './subnets';
import { manyRows, rows, subnetView } from './subnets';

/** YAML has no way to write half a surrogate pair. */
function wellFormed(value: unknown): unknown {
  if (typeof value === 'string') return value.replace(/\p{Cs}/gu, '\ufffd');
  if (Array.isArray(value)) return value.map(wellFormed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [wellFormed(key), wellFormed(each)]));
}

async function textOf(...args: Parameters<typeof renderList<Row>>): Promise<string> {
  return [...(await renderList(...args))].join('');
}

describe('a list', () => {
  for (const format of outputFormats) {
    const forPeople = format === 'table' || format === 'wide';
    for (const [name, screen] of screens) {
      it(`looks as it always did as ${format} on ${name}`, async () => {
        // What programs read is the same on every screen.
        const golden = forPeople ? `list-${format}-${name}` : `list-${format}`;
        expectGolden(golden, await textOf(rows, subnetView, format, screen, { revision: '42' }));
      });
    }
    it(`has nothing in it as ${format}`, async () => {
      expectGolden(`list-empty-${format}`, await textOf([], subnetView, format, terminal(80)));
    });
  }

  it('is the same JSON as if it had been written at once, over the borders of batches', async () => {
    const many = manyRows(200);
    const extra = { revision: '7', kind: 'Fake', items: 'fake', network: { b: [1, 2] } };
    expect(await textOf(many, subnetView, 'json', pipe, extra)).toBe(
      `${JSON.stringify({ apiVersion: 'netctl/v1', kind: 'SubnetList', revision: '7', network: { b: [1, 2] }, items: many }, null, 2)}\n`,
    );
  });

  it('says in YAML what it says in JSON', async () => {
    const json: unknown = JSON.parse(await textOf(rows, subnetView, 'json', pipe));
    expect(parse(await textOf(rows, subnetView, 'yaml', pipe))).toEqual(json);
  });

  it('comes in chunks of whole lines, never in one string', async () => {
    for (const format of outputFormats) {
      const chunks = [...(await renderList(manyRows(20_000), subnetView, format, pipe))];
      expect(chunks.length).toBeGreaterThan(2);
      for (const chunk of chunks) {
        expect(chunk.endsWith('\n')).toBe(true);
        expect(chunk.length).toBeLessThan(100_000);
      }
    }
  });

  it('has one record a line in csv, and no formulas', async () => {
    const bad: Row = { ...(rows[0] as Row), node: '=HYPERLINK("x")', problem: 'a,"b"\nc', vni: -5 };
    const text = await textOf([bad], subnetView, 'csv', pipe);
    expect(text.split('\n')).toHaveLength(3);
    expect(text).toContain(`,"'=HYPERLINK(""x"")",`);
    expect(text).toContain(',"a,""b""\\nc"\n');
    expect(text).toContain(',-5,');
  });
});

describe('a table on a narrow terminal', () => {
  const lineWidths = (text: string): readonly number[] =>
    text
      .trimEnd()
      .split('\n')
      .map((line) => line.length);

  it('drops columns by their rank and tells which', async () => {
    const list = await renderList(manyRows(3), subnetView, 'table', terminal(60));
    const text = [...list].join('');
    expect(list.hidden).toEqual(['VTEP MAC', 'VNI']);
    expect(text.split('\n')[0]).toMatch(/^SUBNET +PUBLIC IP +NODE +BACKEND +EXPIRES +PROBLEM$/);
    expect(hiddenColumnsNote(list.hidden)).toBe('2 columns hidden (VTEP MAC, VNI): widen the terminal or use -o wide');
    expect(hiddenColumnsNote([])).toBeUndefined();
  });

  it('never drops nor cuts in -o wide and in a pipe', async () => {
    const wide = await renderList(rows, subnetView, 'wide', terminal(40));
    expect(wide.hidden).toEqual([]);
    expect([...wide].join('')).toContain('rack-17.example.internal');
    expect(await textOf(rows, subnetView, 'table', pipe)).toContain('rack-17.example.internal');
  });

  it('fits every width from what cannot shrink upwards, and shows all as soon as there is room', async () => {
    const plain = rows.map((row) => ({
      ...row,
      node: row.node?.startsWith('a') ? row.node : 'b',
      problem: 'x'.repeat(50),
    }));
    for (let columns = 47; columns < 260; columns += 1) {
      const list = await renderList(plain, subnetView, 'table', terminal(columns));
      const text = [...list].join('');
      expect(Math.max(...lineWidths(text))).toBeLessThanOrEqual(columns);
    }
    const natural = Math.max(...lineWidths(await textOf(plain, subnetView, 'table', pipe)));
    expect(await textOf(plain, subnetView, 'table', terminal(natural))).toBe(
      await textOf(plain, subnetView, 'table', pipe),
    );
  });

  it('is not emptied by one value of a megabyte', async () => {
    const huge: Row = { ...(rows[0] as Row), node: 'x'.repeat(1_048_576) };
    const list = await renderList([huge, ...manyRows(5)], subnetView, 'table', terminal(120));
    expect(list.hidden).toEqual([]);
    expect(await textOf([huge], subnetView, 'wide', terminal(120))).toContain('xxx… (1,048,576 bytes)');
  });
});

describe('the two renderers of tables', () => {
  const plainText = fc.string({ unit: fc.constantFrom(...Array.from('abc XYZ019.:/-…')), maxLength: 30 });
  const anyColumn = fc.record({
    header: fc
      .string({ unit: fc.constantFrom('A', 'B', 'C', ' '), minLength: 1, maxLength: 12 })
      .map((text) => `H${text}H`),
    align: fc.constantFrom('left' as const, 'right' as const),
    drop: fc.option(fc.nat(3)),
    shrink: fc.boolean(),
    tone: fc.constantFrom('plain' as const, 'good' as const, 'bad' as const, 'dim' as const),
  });

  it('give the same text', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyColumn, { minLength: 1, maxLength: 6 }),
        fc.array(fc.array(plainText, { minLength: 6, maxLength: 6 }), { maxLength: 8 }),
        fc.integer({ min: 10, max: 120 }),
        fc.constantFrom(0 as const, 1 as const),
        async (columns, texts, width, colorLevel) => {
          const view = columns.map(({ header, align, drop, shrink, tone }, index) => ({
            header,
            align,
            shrink,
            ...(drop === null ? {} : { drop }),
            cell: (row: readonly string[]) => ({ text: row[index] ?? '', tone }),
          }));
          const screen = terminal(width, colorLevel);
          const own = await renderTable(texts, view, screen, { wide: false, renderer: 'own' });
          const cli = await renderTable(texts, view, screen, { wide: false, renderer: 'cli-table3' });
          expect([...cli.lines].join('')).toBe([...own.lines].join(''));
          expect(cli.hidden).toEqual(own.hidden);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('change hands without a trace at 500 rows', async () => {
    const below = (await textOf(manyRows(500), subnetView, 'table', pipe)).split('\n');
    const above = (await textOf(manyRows(501), subnetView, 'table', pipe)).split('\n');
    expect(above.slice(0, 501)).toEqual(below.slice(0, 501));
  });
});

it('65,536 rows of nine columns are a table', async () => {
  const many = manyRows(65_536);
  let length = 0;
  for (const chunk of await renderList(many, subnetView, 'wide', pipe)) length += chunk.length;
  expect(length).toBeGreaterThan(5_000_000);
});

describe('hostile values', () => {
  it('reach no format raw', async () => {
    const view: ListView<{ readonly text: string; readonly raw: unknown }> = {
      kind: 'TextList',
      columns: [
        { header: 'A', cell: ({ text }) => text, shrink: true },
        { header: 'B', cell: ({ text }) => ({ text, tone: 'bad' }), csv: ({ text }) => text },
      ],
      name: ({ text }) => text,
      empty: 'Nothing.',
    };
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ text: hostileText, raw: hostileValue }), { minLength: 1, maxLength: 4 }),
        fc.constantFrom(...outputFormats),
        fc.constantFrom(pipe, terminal(40, 1), terminal(80, 3)),
        async (items, format, screen) => {
          const list = await renderList(items, view, format, screen, { note: items[0]?.raw });
          expectHarmless([...list].join(''), screen);
        },
      ),
      { numRuns: 400 },
    );
  });

  it('are equal again when JSON and YAML are read', async () => {
    const view: ListView<unknown> = { kind: 'AnyList', columns: [], name: String, empty: '' };
    await fc.assert(
      fc.asyncProperty(fc.array(hostileValue, { maxLength: 4 }), async (items) => {
        const expected: unknown = JSON.parse(JSON.stringify({ apiVersion: 'netctl/v1', kind: 'AnyList', items }));
        const json = [...(await renderList(items, view, 'json', pipe))].join('');
        // toStrictEqual is fooled by a key named constructor.
        expect(JSON.stringify(JSON.parse(json))).toBe(JSON.stringify(expected));
        const yaml = [...(await renderList(items, view, 'yaml', pipe))].join('');
        expect(JSON.stringify(parse(yaml, { uniqueKeys: false }))).toBe(JSON.stringify(wellFormed(expected)));
      }),
      { numRuns: 400 },
    );
  });
});
