import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deviceFits, readRule } from '../../src/lib/fact/iptables-rule';
import {
  parseIptablesSave,
  ruleSpecification,
  rulesOfChain,
  ruleText,
  ruleWords,
  tableOf,
} from '../../src/lib/fact/iptables-save';
import { captured } from './captured';

const files = [
  'iptables-nft-save.txt',
  'iptables-legacy-save.txt',
  'iptables-save-plain.txt',
  'iptables-save-docker-28.txt',
  'iptables-save-1.4.7.txt',
  'iptables-save-kube-proxy.txt',
];

/** What iptables-save would print for a ruleset, but for comments. */
function printedAgain(text: string): string {
  return parseIptablesSave(text)
    .tables.map(({ name, chains, rules }) => {
      const counters = (of: { packets: number; bytes: number } | null): string =>
        of === null ? '' : `[${of.packets}:${of.bytes}]`;
      return [
        `*${name}`,
        ...chains.map((chain) => `:${chain.name} ${chain.policy ?? '-'} ${counters(chain.counters)}`),
        ...rules.map((rule) => (rule.counters === null ? rule.text : `${counters(rule.counters)} ${rule.text}`)),
        'COMMIT',
        '',
      ].join('\n');
    })
    .join('');
}

describe('the reader of iptables-save', () => {
  it.each(files)('gives every line of %s back byte for byte', (file) => {
    const text = captured(file);
    expect(printedAgain(text)).toBe(text.replaceAll(/^#.*\n/gm, ''));
    expect(parseIptablesSave(text).strangeLines).toEqual([]);
  });

  it('resolves quotes and escapes as iptables does', () => {
    const filter = tableOf(parseIptablesSave(captured('iptables-nft-save.txt')), 'filter');
    const comments = rulesOfChain(filter, 'FORWARD').map((rule) => readRule(rule).comment);
    expect(comments).toContain('a "quoted" \\ word, it\'s $HOME `x`');
    const log = rulesOfChain(filter, 'INPUT').find((rule) => rule.words.includes('LOG'));
    expect(log === undefined ? [] : ruleSpecification(log)).toEqual([
      '-p',
      'tcp',
      '-m',
      'tcp',
      '--dport',
      '80',
      '-m',
      'string',
      '--string',
      'GET / "x"',
      '--algo',
      'bm',
      '-j',
      'LOG',
      '--log-prefix',
      'web: ',
    ]);
  });

  const isRoot =
    process.getuid?.() === 0 && spawnSync('/usr/bin/env', ['unshare', '-n', 'iptables-nft', '-S']).status === 0;
  it.skipIf(!isRoot)('reads words by which the real iptables finds every rule again', () => {
    const file = join(__dirname, 'captured', 'iptables-nft-save.txt');
    const ruleset = parseIptablesSave(captured('iptables-nft-save.txt'));
    const checks = ruleset.tables.flatMap(({ name, rules }) =>
      rules.map((rule) => {
        const words = ['iptables-nft', '-t', name, '-C', rule.chain, ...ruleSpecification(rule)];
        return words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
      }),
    );
    const script = `iptables-nft-restore <"$1" || exit 9\n${checks.map((check) => `${check} || echo "${check.length}"`).join('\n')}`;
    const ran = spawnSync('/usr/bin/env', ['unshare', '-n', 'sh', '-c', script, 'sh', file], { encoding: 'utf8' });
    expect({ status: ran.status, stdout: ran.stdout }).toEqual({ status: 0, stdout: '' });
    expect(checks.length).toBeGreaterThan(30);
  });

  it('reads back what it writes, whatever the words are', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.string({ unit: 'grapheme' }).filter((word) => !/[\n\r]/.test(word)),
          { minLength: 1 },
        ),
        (words) => {
          expect(ruleWords(ruleText(words))).toEqual(words);
        },
      ),
    );
  });

  it('refuses a quote that does not end, and a text that was cut off', () => {
    expect(ruleWords('-A INPUT -m comment --comment "half')).toBeUndefined();
    expect(parseIptablesSave('*nat\n-A A -m comment --comment "half\nCOMMIT\n').strangeLines).toEqual([
      { line: 2, text: '-A A -m comment --comment "half' },
    ]);
    expect(parseIptablesSave('*nat\n:A - [0:0]\n-A A -j DROP\n').strangeLines).toHaveLength(1);
    expect(parseIptablesSave('-A INPUT -j DROP\n').strangeLines).toHaveLength(1);
  });

  it('names the tables that only nft can show', () => {
    const text = "# Warning: iptables-legacy tables present\n# Table `nat' is incompatible, use 'nft' tool.\n";
    expect(parseIptablesSave(text).incompatibleTables).toEqual(['nat']);
  });
});

describe('what a rule says', () => {
  const nat = tableOf(parseIptablesSave(captured('iptables-nft-save.txt')), 'nat');
  const readings = rulesOfChain(nat, 'POSTROUTING').map((rule) => readRule(rule));

  it('is Docker’s masquerade with its range and its bridge', () => {
    expect(readings[0]).toEqual({
      source: { value: { family: 4, base: 0xac11_0000, length: 16 }, isNegated: false },
      destination: null,
      inDevice: null,
      outDevice: { value: 'docker0', isNegated: true },
      protocol: null,
      comment: null,
      target: 'MASQUERADE',
      isGoto: false,
      targetOptions: [],
      otherWords: [],
    });
  });

  it('keeps every other condition as words, so that nobody takes a narrow rule for a wide one', () => {
    expect(readings[1]).toMatchObject({ protocol: { value: 'tcp' }, otherWords: ['-m', 'tcp', '--dport', '80'] });
    expect(readings.at(-1)).toMatchObject({
      source: { isNegated: true },
      destination: { isNegated: true },
      outDevice: { value: 'eth+', isNegated: false },
      comment: 'dns',
      target: 'SNAT',
      targetOptions: ['--to-source', '10.4.11.21', '--random'],
      otherWords: ['-m', 'udp', '--dport', '53'],
    });
  });

  it('keeps a `!` that belongs to another condition', () => {
    const mangle = tableOf(parseIptablesSave(captured('iptables-nft-save.txt')), 'mangle');
    const [rule] = rulesOfChain(mangle, 'PREROUTING');
    expect(rule === undefined ? undefined : readRule(rule).otherWords).toEqual([
      '-m',
      'mark',
      '!',
      '--mark',
      '0x1/0xff',
    ]);
  });

  it('finds the drop of Docker 28 that overlay traffic meets', () => {
    const ruleset = parseIptablesSave(captured('iptables-save-docker-28.txt'));
    const drops = rulesOfChain(tableOf(ruleset, 'filter'), 'DOCKER')
      .map((rule) => readRule(rule))
      .filter(({ target }) => target === 'DROP');
    expect(drops).toMatchObject([
      { inDevice: { value: 'docker0', isNegated: true }, outDevice: { value: 'docker0' }, otherWords: [] },
    ]);
  });

  it('fits a device to a name and to the beginning of one', () => {
    expect([
      deviceFits('eth+', 'eth0'),
      deviceFits('eth0', 'eth0'),
      deviceFits('eth0', 'eth01'),
      deviceFits('+', 'x'),
    ]).toEqual([true, true, false, true]);
  });
});
