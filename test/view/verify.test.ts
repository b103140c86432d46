import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { junitXml } from '../../src/lib/view/junit';
import { unknownLines, type VerifiedPathItem, type VerifyDocument } from '../../src/lib/view/verify';
import { verifyJunit } from '../../src/lib/view/verify-junit';
import { renderVerify, verifySummary } from '../../src/lib/view/verify-matrix';
import { pipe } from './screens';

const terminal = { ...pipe, columns: 80 };

function item(from: string, to: string, change: Partial<VerifiedPathItem> = {}): VerifiedPathItem {
  const test = { bytes: 128, state: 'answered', source: '172.7.21.254', roundTripMicroseconds: 60, why: null } as const;
  return {
    from,
    to,
    leg: 'container-to-container',
    state: 'ok',
    fault: null,
    sender: '172.7.21.254',
    sources: ['172.7.21.254'],
    roundTripMicroseconds: 60,
    tests: [{ ...test, protocol: 'tcp', size: 'small' }],
    ...change,
  };
}

function documentOf(items: readonly VerifiedPathItem[], nodes: VerifyDocument['nodes'] = []): VerifyDocument {
  const count = (state: VerifiedPathItem['state']) => items.filter((each) => each.state === state).length;
  return {
    answerTimeoutSeconds: 5,
    nodes,
    counts: { ok: count('ok'), masqueraded: count('masqueraded'), failed: count('failed'), unknown: count('unknown') },
    problems: [],
    items,
  };
}

/** A fleet in which all is well but for what `change` says. */
function fleet(names: readonly string[], change: (from: string, to: string) => Partial<VerifiedPathItem> = () => ({})) {
  return documentOf(
    names.flatMap((from) => names.flatMap((to) => (from === to ? [] : [item(from, to, change(from, to))]))),
  );
}

const numbered = (count: number) => Array.from({ length: count }, (_, index) => `hdss7-${index + 21}`);

describe('the matrix of verify', () => {
  it('has a word for every pair, and explains words only where something is wrong', async () => {
    expect((await renderVerify(fleet(['a', 'b']), terminal)).join('')).toBe(
      'FROM / TO  a     b\na          -     ok\nb          ok    -\n',
    );
    const text = await renderVerify(
      fleet(['a', 'b'], (from) => (from === 'a' ? { state: 'failed', fault: 'path-mtu' } : { state: 'masqueraded' })),
      terminal,
    );
    expect(text.join('')).toContain('a          -     mtu\nb          nat   -\n');
    expect(text.join('')).toContain('mtu   small packets arrived, large ones did not');
  });

  it('takes one letter a pair for forty-eight nodes, on 80 columns', async () => {
    const lines = (
      await renderVerify(
        fleet(numbered(48), (from, to) =>
          from === 'hdss7-23' && to === 'hdss7-25' ? { state: 'failed', fault: 'path-dead' } : {},
        ),
        terminal,
      )
    )
      .join('')
      .split('\n');
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
    expect(lines.find((line) => line.includes('hdss7-23'))).toMatch(/ 3 hdss7-23 +\.\.-\.X\.{43}$/);
    expect(lines[1]).toMatch(/^ {3}FROM \/ TO +123456789012/);
    expect(lines).toContain('47 other nodes without any trouble as senders');
    expect(lines.join('\n')).toMatch(/^X +nothing arrived$/m);
  });

  it('counts by node where not even letters have room, and names only those with trouble', async () => {
    const text = (
      await renderVerify(
        fleet(numbered(100), (_, to) => (to === 'hdss7-25' ? { state: 'failed', fault: 'path-dead' } : {})),
        terminal,
      )
    ).join('');
    expect(text).toMatch(/^hdss7-25 +99\/99 +0\/99$/m);
    expect(text).toMatch(/^hdss7-26 +98\/99 +99\/99$/m);
    const well = (await renderVerify(fleet(numbered(100)), terminal)).join('');
    expect(well).toBe('everything arrives between all 100 nodes\n');
    expect((await renderVerify(fleet(numbered(20)), terminal)).join('')).toBe(
      'everything arrives between all 20 nodes\n',
    );
  });

  it('makes names harmless', async () => {
    const text = (await renderVerify(fleet(['a\x1b[31m', 'b']), terminal)).join('');
    expect(text).not.toContain('\x1b');
  });

  it('stands apart for each way', async () => {
    const { items } = fleet(['a', 'b']);
    const text = await renderVerify(
      documentOf([...items, item('a', '198.51.100.1', { leg: 'container-to-outside' })]),
      terminal,
    );
    expect(text.join('')).toContain('From containers to the outside\nFROM / TO  198.51.100.1\na          ok\n');
  });

  it('is summed up in a line', () => {
    expect(verifySummary(fleet(['a', 'b'], (from) => (from === 'a' ? { state: 'failed' } : {})))).toBe(
      '2 pairs: 1 ok, 1 failed',
    );
  });
});

describe('what is not known', () => {
  it('is told once, by its node or by its reason', () => {
    const none = { address: null, bridge: null, mtu: null } as const;
    const lost = (why: string) => ({
      state: 'unknown' as const,
      tests: item('a', 'b').tests.map((test) => ({ ...test, state: 'unknown' as const, why })),
    });
    const document = documentOf(
      [
        item('a', 'b', lost('b: it has no perl')),
        item('b', 'a', lost('b: it has no perl')),
        item('a', 'c', lost('a: lost')),
      ],
      [
        { name: 'b', state: 'unknown', ...none, why: 'it has no perl' },
        { name: 'd', state: 'unreachable', ...none, why: 'd: nobody is there' },
      ],
    );
    expect(unknownLines(document)).toEqual([
      'b could not be probed: it has no perl',
      'd: nobody is there',
      'not known: a: lost',
    ]);
  });
});

/** Strict enough to fail on whatever is not well-formed: tags that nest, quoted attributes, known references, allowed characters. */
function wellFormed(xml: string): boolean {
  const attribute = ' [a-z]+="(?:[^<&"]|&(?:amp|lt|gt|quot|apos|#\\d+);)*"';
  const pattern = new RegExp(`<\\?xml[^>]*\\?>|<(/?)([a-z]+)((?:${attribute})*)(/?)>`, 'y');
  const open: string[] = [];
  let at = 0;
  while (at < xml.length) {
    if (/\s/.test(xml[at] ?? '')) {
      at += 1;
      continue;
    }
    pattern.lastIndex = at;
    const found = pattern.exec(xml);
    if (found === null) return false;
    const [text, closes, name, , isEmpty] = found;
    if (closes === '/' && open.pop() !== name) return false;
    if (closes === '' && isEmpty === '' && name !== undefined) open.push(name);
    at += text.length;
  }
  return open.length === 0 && !/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u.test(xml);
}

describe('JUnit’s file', () => {
  it('has a test for each packet, and one for the address that arrived', () => {
    const xml = verifyJunit(
      fleet(['a', 'b'], (from) =>
        from === 'a'
          ? { sources: ['10.4.7.21'], state: 'masqueraded' }
          : {
              state: 'failed',
              fault: 'path-dead',
              sources: [],
              tests: [
                {
                  protocol: 'tcp',
                  size: 'small',
                  bytes: 128,
                  state: 'failed',
                  source: null,
                  roundTripMicroseconds: null,
                  why: 'nothing came back',
                },
              ],
            },
      ),
    );
    expect(xml).toContain('<testsuite name="container-to-container" tests="4" failures="2" errors="0" skipped="1"');
    expect(xml).toContain('name="a to b: tcp 128 bytes" time="0.000060"/>');
    expect(xml).toContain('<failure type="path-masqueraded" message="sent as 172.7.21.254, arrived as 10.4.7.21"/>');
    expect(xml).toContain('<failure type="path-dead" message="nothing came back"/>');
    expect(xml).toContain('<skipped message="nothing arrived that shows it"/>');
    expect(wellFormed(xml)).toBe(true);
  });

  it('is well-formed whatever stands in a text', () => {
    const text = fc.string({ unit: 'binary', maxLength: 30 });
    fc.assert(
      fc.property(text, text, text, (name, message, suite) => {
        const xml = junitXml(name, [
          {
            name: suite,
            cases: [
              { classname: name, name: message, seconds: 0, result: { kind: 'failed', type: 't', message } },
              { classname: name, name: message, seconds: 1, result: { kind: 'skipped', message } },
            ],
          },
        ]);
        expect(wellFormed(xml)).toBe(true);
      }),
    );
    expect(junitXml('a\0<b>&"\ud800', [])).toContain('name="a\uFFFD&lt;b&gt;&amp;&quot;\uFFFD"');
    expect(wellFormed('<a b="&nbsp;"/>')).toBe(false);
  });
});
