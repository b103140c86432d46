import { describe, expect, it } from 'vitest';
import { renderList } from '../../src/lib/view/list';
import {
  isWrong,
  type MasqueradeDocument,
  type MasqueradeReport,
  masqueradeListView,
  renderFixMasquerade,
} from '../../src/lib/view/masquerade';
import { expectGolden, pipe, screens } from './screens';

const dockers = '-A POSTROUTING -s 172.7.21.0/24 ! -o docker0 -j MASQUERADE';
const ours =
  '-A POSTROUTING -s 172.7.21.0/24 ! -d 172.7.0.0/16 ! -o docker0 -m comment --comment "netctl:masquerade" -j MASQUERADE';

function report(change: Partial<MasqueradeReport> = {}): MasqueradeReport {
  const way = (path: MasqueradeReport['paths'][number]['path'], before: string, after: string) => ({
    path,
    bridge: 'docker0',
    from: '172.7.21.2',
    to: '172.7.22.2',
    before: { kind: before === '172.7.21.2' ? ('kept' as const) : ('changed' as const), address: before, by: dockers },
    after: { kind: after === '172.7.21.2' ? ('kept' as const) : ('changed' as const), address: after, by: null },
  });
  return {
    name: 'hdss7-21',
    state: 'planned',
    subnet: '172.7.21.0/24',
    network: '172.7.0.0/16',
    method: 'rule',
    reason: "flanneld runs without --ip-masq (FLANNEL_IPMASQ=false), so Docker's rule is made narrower",
    paths: [
      way('container-to-container', '10.4.7.21', '172.7.21.2'),
      way('container-to-internet', '10.4.7.21', '10.4.7.21'),
    ],
    chains: [
      {
        program: 'iptables-nft',
        table: 'nat',
        chain: 'POSTROUTING',
        before: ['-A POSTROUTING -j KUBE-POSTROUTING', dockers],
        after: ['-A POSTROUTING -j KUBE-POSTROUTING', ours],
      },
    ],
    steps: [
      {
        title: 'the source address of containers',
        mind: ['connections that are open keep the address that they have until they end'],
        changes: [
          {
            kind: 'run',
            what: 'sh /usr/local/lib/netctl/masquerade assert',
            why: 'puts the rules right: each goes in before another goes out',
            before: null,
            after: null,
          },
        ],
      },
    ],
    problems: [
      {
        code: 'source-masqueraded',
        severity: 'warning',
        path: 'docker0',
        message: `containers of hdss7-21 are seen by other nodes as 10.4.7.21: ${dockers}`,
        suggestion: null,
      },
    ],
    proof: null,
    error: null,
    ...change,
  };
}

const done = report({
  state: 'done',
  problems: [],
  proof: {
    verdict: 'proved',
    why: '',
    ways: [{ to: 'hdss7-22', sender: '172.7.21.254', before: '10.4.7.21', after: '172.7.21.254' }],
    outside: { address: '10.4.7.254', before: true, after: true },
  },
});
const document = (...items: readonly MasqueradeReport[]): MasqueradeDocument => ({ applied: true, items });
const text = async (value: MasqueradeDocument, screen = pipe): Promise<string> =>
  (await renderFixMasquerade(value, screen, true)).join('');

describe('what fix-masquerade shows', () => {
  it.each(screens)('on the screen %s', async (name, screen) => {
    const lost = {
      ...report({ state: 'unreachable', paths: [], chains: [], steps: [], problems: [], method: null }),
      name: 'n2',
      error: 'n2: no route to host',
    };
    expectGolden(`fix-masquerade-${name}`, await text(document(report(), done, lost), screen));
  });

  it('is harmless whatever the rules of a node say', async () => {
    const evil = '-A POSTROUTING -m comment --comment "\u001b]0;x\u0007\u001b[2J\u202e" -j MASQUERADE';
    const item = report({
      chains: [{ program: 'iptables-nft', table: 'nat', chain: 'POSTROUTING', before: [evil], after: [] }],
      problems: [{ code: 'masqueraded-by-other', severity: 'error', path: 'docker0', message: evil, suggestion: evil }],
      proof: {
        verdict: 'failed',
        why: evil,
        ways: [{ to: evil, sender: evil, before: evil, after: evil }],
        outside: null,
      },
      error: evil,
    });
    for (const format of ['json', 'yaml', 'csv', 'wide'] as const) {
      const rendered = await renderList([item], masqueradeListView, format, pipe);
      expect(Array.from(rendered).join('')).not.toMatch(/\u001b|\u0007|\u202e/);
    }
    expect(await text(document(item))).not.toMatch(/\u001b|\u0007|\u202e/);
  });
});

describe('a node', () => {
  it('is wrong as long as something is to be done, or cannot be mended', () => {
    expect(isWrong(report())).toBe(true);
    expect(isWrong(report({ state: 'blocked' }))).toBe(true);
    expect(isWrong(done)).toBe(false);
    expect(isWrong({ ...done, state: 'unchanged' })).toBe(false);
    const left = { code: 'overlay-dropped', severity: 'warning', path: '', message: '', suggestion: null } as const;
    expect(isWrong({ ...done, state: 'unchanged', problems: [left] })).toBe(true);
  });
});
