import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SubnetMap, SubnetState } from '../../src/lib/view/subnet-map';
import { renderSubnetMap } from '../../src/lib/view/subnet-map';
import { expectHarmless } from './hostile';
import { expectGolden, pipe, terminal } from './screens';

/** The same scatter on every machine: dense at the end of each quarter, some of every state. */
function mapOf(count: number, subnetLen: number): SubnetMap {
  const cells = (index: number): SubnetState => {
    const scatter = (Math.imul(index ^ 0x9e3779b9, 0x9e3779b1) >>> 0) / 2 ** 32;
    if (index < count / 64) return 'outside';
    if (index === Math.ceil(count / 8)) return 'permanent';
    if (index > count * 0.9) return scatter < 0.1 ? 'reserved' : 'free';
    const density = (index % (count / 4)) / (count / 4);
    if (scatter >= density) return 'free';
    return scatter < 0.03 ? 'expiring' : 'used';
  };
  return { network: `10.0.0.0/${subnetLen - Math.log2(count)}`, subnetLen, first: 10 * 2 ** 24, count, cells };
}

const maps = [mapOf(4, 18), mapOf(16, 20), mapOf(256, 24), mapOf(1_024, 24), mapOf(65_536, 24)];

const visible = (text: string): readonly string[] =>
  text
    .replace(/\x1b\[\d+m/g, '')
    .trimEnd()
    .split('\n');

describe('a map of subnets', () => {
  for (const map of maps) {
    for (const columns of [40, 80, 200]) {
      it(`of ${map.count} subnets looks as it always did on ${columns} columns`, async () => {
        expectGolden(`map-${map.count}-${columns}`, await renderSubnetMap(map, terminal(columns)));
        expectGolden(`map-${map.count}-${columns}-ascii`, await renderSubnetMap(map, terminal(columns, 0, false)));
      });
    }
    it(`of ${map.count} subnets is the same with colour, and in a pipe as on 80 columns`, async () => {
      const plain = await renderSubnetMap(map, terminal(80));
      const coloured = await renderSubnetMap(map, terminal(80, 1));
      expect(coloured).not.toBe(plain);
      expect(visible(coloured)).toEqual(visible(plain));
      expect(await renderSubnetMap(map, pipe)).toBe(plain);
      if (map.count <= 256) expectGolden(`map-${map.count}-colour`, coloured);
    });
  }

  it('fits the terminal and about 32 rows, counts every subnet once, and asks for each once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 70_000 }),
        fc.integer({ min: 40, max: 250 }),
        fc.constantFrom(0 as const, 1 as const),
        fc.boolean(),
        async (count, columns, colorLevel, unicode) => {
          let asked = 0;
          const cells = (index: number): SubnetState => {
            if (index === asked) asked++;
            return index % 3 === 0 ? 'used' : index % 7 === 0 ? 'reserved' : 'free';
          };
          const screen = terminal(columns, colorLevel, unicode);
          const text = await renderSubnetMap(
            { network: '10.0.0.0/8', subnetLen: 26, first: 10 * 2 ** 24, count, cells },
            screen,
          );
          expectHarmless(text, screen);
          expect(asked).toBe(count);
          const lines = visible(text);
          for (const line of lines) expect(Array.from(line).length).toBeLessThanOrEqual(columns);
          expect(lines.filter((line) => /^\d+\.\d+\.\d+\.\d+ /.test(line)).length).toBeLessThanOrEqual(32);
          const total = [...text.replace(/\x1b\[\d+m/g, '').matchAll(/ (?:free|used|reserved) ([\d,]+)/g)].reduce(
            (sum, [, number]) => sum + Number(number?.replaceAll(',', '')),
            0,
          );
          expect(total).toBe(count);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('takes four million subnets and the last address there is', async () => {
    const text = await renderSubnetMap(
      { network: '240.0.0.0/4', subnetLen: 26, first: 240 * 2 ** 24, count: 2 ** 22, cells: () => 'used' },
      terminal(80),
    );
    expect(text).toContain('4,194,304 of 4,194,304 taken (100%)');
    expect(text).toContain('\n255.128.0.0 ');
  });

  it('never says 0% of something or 100% of not all', async () => {
    const one = await renderSubnetMap(
      { ...mapOf(65_536, 24), cells: (index) => (index === 9 ? 'used' : 'free') },
      pipe,
    );
    expect(one).toContain('1 of 65,536 taken (<0.1%)');
    const most = await renderSubnetMap(
      { ...mapOf(65_536, 24), cells: (index) => (index === 9 ? 'free' : 'used') },
      pipe,
    );
    expect(most).toContain('65,535 of 65,536 taken (>99.9%)');
  });
});
