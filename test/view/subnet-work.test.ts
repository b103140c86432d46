import { describe, expect, it } from 'vitest';
import type { Screen } from '../../src/lib/view/format';
import { renderSubnetWork, subnetWorkReport } from '../../src/lib/view/subnet-work';

const screen: Screen = { isTerminal: false, columns: 80, colorLevel: 0, unicode: true };
const put = (number: number) => ({
  kind: 'put' as const,
  key: `/net/subnets/10.1.${number}.0-24`,
  value: Buffer.from('{"PublicIP":"192.0.2.1"}'),
  expected: '7',
  ttlSeconds: 'keep' as const,
  why: 'as it is',
});
const work = { subnet: '10.1.5.0/24', publicIP: '192.0.2.1', node: 'web1', changes: [], problems: [] };
const text = async (...items: readonly ReturnType<typeof subnetWorkReport>[]): Promise<string> =>
  (await renderSubnetWork({ prefix: '/net', api: 'v3', applied: false, items }, screen, 'Nothing.')).join('');

describe('work on subnets, for people', () => {
  it('tells what is written, with its time to live, and counts', async () => {
    const changes = [
      { ...put(5), ttlSeconds: 86_400 },
      { kind: 'delete' as const, key: '/net-netctl/reservations/10.1.5.0-24', expected: '3', why: 'no longer kept' },
    ];
    expect(await text(subnetWorkReport({ ...work, changes }, 'planned'))).toBe(
      [
        '10.1.5.0/24  192.0.2.1 web1  to do',
        '    put    /net/subnets/10.1.5.0-24  as it is',
        '           {"PublicIP":"192.0.2.1"}  (TTL 1d)',
        '    delete /net-netctl/reservations/10.1.5.0-24  no longer kept',
        '',
        '1 subnet: 1 planned',
        '',
      ].join('\n'),
    );
  });

  it('shows the first of very many changes', async () => {
    const changes = Array.from({ length: 200 }, (_, number) => put(number));
    const shown = await text(subnetWorkReport({ ...work, changes }, 'planned'));
    expect(shown.split('\n').length).toBeLessThan(25);
    expect(shown).toContain('192 more changes; -o json has them all');
    expect(subnetWorkReport({ ...work, changes }, 'planned').changes).toHaveLength(200);
  });

  it('makes texts of etcd and of people harmless, and breaks long ones', async () => {
    const value = Buffer.from('{"PublicIP":"192.0.2.1","More":"\u001b[2J"}');
    const problem = {
      code: 'reservation-taken',
      severity: 'error' as const,
      path: '10.1.5.0/24',
      message: `\u001b]0;x\u0007 ${'somebody else has it '.repeat(10)}`,
      suggestion: null,
    };
    const shown = await text(
      subnetWorkReport({ ...work, node: 'a\u001b[31m', changes: [{ ...put(5), value }], problems: [] }, 'planned'),
      subnetWorkReport({ ...work, problems: [problem] }, 'blocked', new Error('\u009b1mno')),
    );
    expect(shown).not.toMatch(/[\u001b\u009b\u0007]/);
    expect(shown.split('\n').filter((line) => line.includes('somebody')).length).toBeGreaterThan(2);
  });

  it('gives bytes that are no text as none', () => {
    const report = subnetWorkReport({ ...work, changes: [{ ...put(5), value: Uint8Array.of(0xff, 0xfe) }] }, 'planned');
    expect(report.changes[0]?.value).toBeNull();
  });

  it('says when there is nothing to speak of', async () => {
    expect(await text()).toBe('Nothing.\n');
  });
});
