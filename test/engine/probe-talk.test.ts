import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { NoProbe, openProbeTalk, type ProbeJob, type ProbeTalkOptions } from '../../src/lib/engine/probe-talk';
import { Unreachable } from '../../src/lib/errors';
import type { Command, Host } from '../../src/lib/host/host';

const options: ProbeTalkOptions = {
  place: { bridge: 'docker0', mtu: 1450, length: 24, gateway: '172.7.21.1', candidates: ['172.7.21.254'] },
  publicIP: '10.4.7.21',
  words: { ask: 'a'.repeat(32), answer: 'b'.repeat(32) },
  link: 'vethnctl0a0b0c',
  answerTimeoutMs: 5000,
  timeoutMs: 20_000,
  mostJobs: 10,
};
const ready = 'ready 172.7.21.254 40001 40002 0 0\n';

const job = (id: number): ProbeJob => ({
  id,
  from: 'container',
  check: 'tcp',
  address: '172.7.22.254',
  port: 40003,
  bytes: 128,
  words: { ask: 'c'.repeat(32), answer: 'd'.repeat(32) },
  nonce: '0123456789abcdef',
});

/**
 * A node that lies, in place of one: it says `lines` one after the other, each when the text before it has come. What an honest one does is
 * tried on the lab (verify.journey.ts).
 */
function lyingHost(
  lines: readonly { readonly after: string | RegExp; readonly say: string }[],
): Host & { heard: string } {
  const host = {
    name: 'node1',
    heard: '',
    close: () => undefined,
    async run(command: Command) {
      const left = [...lines];
      const sayNext = (): void => {
        const [next] = left;
        if (next === undefined || host.heard.search(next.after) < 0) return;
        left.shift();
        command.onStdout?.(Buffer.from(next.say));
        sayNext();
      };
      sayNext();
      if (typeof command.stdin === 'function') {
        for await (const chunk of command.stdin()) {
          host.heard += Buffer.from(chunk).toString();
          sayNext();
        }
      }
      return { code: 0, stdout: new Uint8Array(), stderr: new Uint8Array() };
    },
  };
  return host;
}

const language = { after: '', say: 'netctl-probe perl\n' };
const isReady = { after: /^probe /m, say: ready };

describe('the talk with a node that is probed', () => {
  it('gives the program once, by its length, then what it is to do', async () => {
    const host = lyingHost([language, { after: '', say: 'netctl-probe perl\nnetctl-probe python\n' }, isReady]);
    const talk = openProbeTalk(host, options);
    await expect(talk.ready).resolves.toMatchObject({ address: '172.7.21.254', node: null });
    await talk.end();
    const [length = ''] = host.heard.split('\n', 1);
    const rest = host.heard.slice(length.length + 1 + Number(length)).split('\n');
    expect(rest[0]).toBe(
      `probe 20 ${'a'.repeat(32)} ${'b'.repeat(32)} 5 64 vethnctl0a0b0c docker0 1450 24 172.7.21.1 10.4.7.21 172.7.21.254`,
    );
    expect(rest).toContain('end');
    expect(host.heard.split('use strict;')).toHaveLength(2);
  });

  it('takes a result once, for a job that was asked, in pieces as they come', async () => {
    const results = 'r 0 ok 50 10.4.7.21 40000 128\nr 0 no timeout\nr 77 no timeout\nr 1 no tim';
    const host = lyingHost([language, isReady, { after: /^job c 1 /m, say: results }, { after: '', say: 'eout\n' }]);
    const talk = openProbeTalk(host, options);
    await talk.ready;
    const answers = await talk.ask([job(0), job(1)], 10_000);
    await talk.end();
    expect(answers.lost).toBeNull();
    expect([...answers.results.keys()]).toEqual([0, 1]);
    expect(answers.results.get(0)).toMatchObject({ kind: 'answered', source: '10.4.7.21' });
  });

  it('does not wait for ever for a job of which nothing is said', async () => {
    const talk = openProbeTalk(lyingHost([language, isReady]), options);
    await talk.ready;
    expect(await talk.ask([job(0)], 50)).toEqual({ results: new Map(), lost: null });
    expect(await talk.ask([], 10_000)).toMatchObject({ lost: null });
    await talk.end();
  });

  it.each([
    ['an address that was not offered', 'ready 8.8.8.8 53 53 0 0\n'],
    ['what is no answer', 'Last login: Fri Nov 20\n'],
    ['a line without end', 'x'.repeat(600)],
  ])('ends at %s', async (_, say) => {
    const talk = openProbeTalk(lyingHost([language, { after: /^probe /m, say }]), options);
    await expect(talk.ready).rejects.toBeInstanceOf(NoProbe);
    await talk.end();
  });

  it('gives the reason of a node that cannot be probed', async () => {
    const host = lyingHost([language, { after: /^probe /m, say: 'unready ip link add: Operation not permitted\n' }]);
    const talk = openProbeTalk(host, options);
    await expect(talk.ready).rejects.toThrow('ip link add: Operation not permitted');
    await talk.end();
  });

  it('keeps what was found out before the connection was lost', async () => {
    const lost = new Unreachable({ code: 'host-silent', message: 'node1: lost' });
    const host: Host = {
      name: 'node1',
      close: () => undefined,
      async run(command) {
        command.onStdout?.(Buffer.from(`netctl-probe perl\n${ready}`));
        await sleep(20);
        command.onStdout?.(Buffer.from('r 0 no timeout\n'));
        throw lost;
      },
    };
    const talk = openProbeTalk(host, options);
    await talk.ready;
    const answers = await talk.ask([job(0), job(1)], 10_000);
    expect(answers.lost).toBe(lost);
    expect([...answers.results.keys()]).toEqual([0]);
    await talk.end();
  });
});
