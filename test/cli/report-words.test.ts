import { describe, expect, it } from 'vitest';
import { reportWords } from '../../src/lib/cli/report-words';

describe('a file behind -o', () => {
  it.each([
    [
      ['-o', 'monday.json'],
      ['--report', 'monday.json'],
    ],
    [
      ['--output', './a.json', '--no-ttl'],
      ['--report', './a.json', '--no-ttl'],
    ],
    [['--output=a.json'], ['--report', 'a.json']],
    [['-oa.json'], ['--report', 'a.json']],
  ])('is that of --report: %j', (words, expected) => {
    expect(reportWords(words)).toEqual(expected);
  });

  it.each([
    [['-o', 'json']],
    [['-ojson', '--report', 'a.json']],
    [['--config', 'a.json']],
    [['--', '-o', 'a.json']],
    [['-o', '-.json']],
    [['-o']],
  ])('is not seen in %j', (words) => {
    expect(reportWords(words)).toEqual(words);
  });
});
