import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Fact } from '../../src/lib/fact/fact';
import { parseNft } from '../../src/lib/fact/nft-tables';
import { allFacts } from './all-facts';
import { captured, printed } from './captured';

const facts: readonly Fact<unknown>[] = Object.values(allFacts(['10.4.7.22'], ['http://10.4.7.12:2379']));
const texts = readdirSync(join(__dirname, 'captured')).map(captured);

/** Real answers with bytes of them changed, cut and doubled: what is nearly right is worse than noise. */
const bent = fc
  .tuple(fc.constantFrom(...texts), fc.nat(), fc.nat(), fc.string({ unit: 'binary', maxLength: 20 }))
  .map(([text, a, b, stuff]) => {
    const [from, to] = [a % (text.length + 1), b % (text.length + 1)].sort((x, y) => x - y);
    return text.slice(0, from) + stuff + text.slice(to);
  });

describe('no answer makes a parser throw', () => {
  it.each(facts.map((fact) => [fact.name.slice(0, 40), fact] as const))('%s', (_, fact) => {
    fc.assert(
      fc.property(
        fc.oneof(bent, fc.string({ unit: 'binary' })),
        fc.constantFrom(0, 1, 41, 42, 127, 255),
        (text, code) => {
          const answer = fact.parse(printed(text, code, text.slice(0, 300)));
          expect(typeof answer.known).toBe('boolean');
        },
      ),
      { numRuns: 150 },
    );
  });

  it('takes bytes that are no text', () => {
    const bytes = Uint8Array.from({ length: 4096 }, (_, index) => (index * 7919) % 256);
    for (const fact of facts)
      expect(typeof fact.parse({ code: 0, stdout: bytes, stderr: bytes }).known).toBe('boolean');
  });

  it('lets no key of JSON reach a prototype', () => {
    const evil = '[{"__proto__":{"ifname":"eth0","ifindex":1,"mtu":1500},"constructor":{"dst":"10.0.0.0/8"}}]';
    for (const fact of facts) fact.parse(printed(evil));
    expect('ifname' in {}).toBe(false);
  });
});

describe('a megabyte that is made to be slow', () => {
  const long = [
    '"'.repeat(1_000_000),
    '\\'.repeat(1_000_000),
    ' '.repeat(1_000_000),
    `*nat\n-A A ${'"a" '.repeat(250_000)}\nCOMMIT\n`,
    `table ip x {\n chain y {\n ${'{ a, '.repeat(200_000)}`,
    `${'{ '.repeat(1000)}\n`.repeat(500),
    '['.repeat(1_000_000),
    `P ${'1 '.repeat(500_000)}`,
    `ExecStart={ path=${' ; argv[]=a'.repeat(100_000)}\n`,
    '1: eth0: <UP> mtu 1500 '.repeat(40_000),
  ];
  it('is read within the time of the test', () => {
    for (const text of long) {
      parseNft(text);
      for (const fact of facts) fact.parse(printed(text));
    }
  }, 120_000);
});
