import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { survey } from '../../src/lib/engine/survey';
import { overlayPing } from '../../src/lib/fact/overlay-ping';
import { knownValue } from './captured';
import { shellHost } from './shell-host';

const folder = mkdtempSync(join(tmpdir(), 'netctl-ping-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A ping that behaves as `text` says: `$a` is the address. Its PATH comes first on the host. */
function hostWithPing(text: string) {
  const bin = mkdtempSync(join(folder, 'bin-'));
  writeFileSync(join(bin, 'ping'), `#!/bin/sh\nfor a; do :; done\n${text}\n`);
  chmodSync(join(bin, 'ping'), 0o755);
  return shellHost(['sh'], { ...process.env, PATH: `${bin}:${process.env['PATH']}` });
}

async function ping(text: string, addresses: readonly string[], deadlineSeconds = 8, source: string | null = null) {
  const fact = overlayPing(addresses, { source, deadlineSeconds });
  const { answers } = await survey(hostWithPing(text), { ping: fact }, { timeoutMs: 30_000 });
  return answers.ping;
}

/** What a parser makes of one line of ping. */
function parsed(line: string) {
  const stdout = new TextEncoder().encode(`${line}\n.\n`);
  const answer = overlayPing(['172.7.22.1'], { source: null }).parse({ code: 0, stdout, stderr: new Uint8Array() });
  return knownValue(answer).get('172.7.22.1');
}

describe('the ping over the overlay', () => {
  it('reads what ping of iputils and of busybox say', () => {
    expect(
      parsed(
        '172.7.22.1 0 PING 172.7.22.1 (172.7.22.1) 56(84) bytes of data.|64 bytes from 172.7.22.1: icmp_seq=1 ttl=64 time=0.042 ms||--- 172.7.22.1 ping statistics ---',
      ),
    ).toEqual({ known: true, value: { isReached: true, milliseconds: 0.042 } });
    expect(
      parsed(
        '172.7.22.1 0 PING 172.7.22.1 (172.7.22.1): 56 data bytes|64 bytes from 172.7.22.1: seq=0 ttl=64 time=12.5 ms',
      ),
    ).toEqual({ known: true, value: { isReached: true, milliseconds: 12.5 } });
    expect(
      parsed('172.7.22.1 1 PING 172.7.22.1 (172.7.22.1) 56(84) bytes of data.||1 packets transmitted, 0 received'),
    ).toEqual({ known: true, value: { isReached: false, why: 'no answer' } });
    expect(parsed('172.7.22.1 1 PING 172.7.22.1|From 10.4.7.21 icmp_seq=1 Destination Host Unreachable')).toEqual({
      known: true,
      value: { isReached: false, why: 'Destination Host Unreachable' },
    });
    expect(parsed('172.7.22.1 2 ping: connect: Network is unreachable')).toEqual({
      known: true,
      value: { isReached: false, why: 'connect: Network is unreachable' },
    });
  });

  it('does not take a ping that could not be sent for a peer that is not there', () => {
    expect(parsed('172.7.22.1 2 ping: socket: Operation not permitted')).toMatchObject({ known: false });
    expect(parsed('172.7.22.1 1 ping: permission denied (are you root?)')).toMatchObject({ known: false });
    expect(parsed('172.7.22.1 2 ping: bind: Cannot assign requested address')).toMatchObject({ known: false });
    expect(parsed('172.7.22.1 126 ')).toMatchObject({ known: false });
  });

  it('takes no word for an address that was not asked, and none for the whole when it was cut off', () => {
    const fact = overlayPing(['172.7.22.1'], { source: null });
    const read = (text: string) =>
      fact.parse({ code: 0, stdout: new TextEncoder().encode(text), stderr: new Uint8Array() });
    expect([...knownValue(read('172.7.23.1 0 x\n__proto__ 0 x\n.\n'))]).toEqual([
      ['172.7.22.1', { known: false, why: 'there was no time left to ask' }],
    ]);
    expect(read('172.7.22.1 0 x\n')).toMatchObject({ known: false });
    expect(fact.parse({ code: 127, stdout: new Uint8Array(), stderr: new Uint8Array() })).toEqual({
      known: false,
      why: 'ping is not there',
    });
  });

  it('asks nothing that is no address, and nothing twice', () => {
    const { argv } = overlayPing(['172.7.22.1', '-f', '172.7.22.1', '$(reboot)'], { source: '-x' }).command;
    expect(argv.slice(4)).toEqual(['1', '8', '', '172.7.22.1']);
  });

  it('pings a hundred addresses at once, tries twice, and says which answered', async () => {
    const addresses = Array.from({ length: 100 }, (_, index) => `127.0.7.${index + 1}`);
    const tries = join(folder, 'tries');
    const began = performance.now();
    const answer = await ping(
      `echo "$a" >>${tries}; case $a in *7) sleep 0.2; exit 1 ;; esac; echo "64 bytes from $a: seq=0 ttl=64 time=1 ms"`,
      addresses,
    );
    expect(performance.now() - began).toBeLessThan(8_000);
    const answers = knownValue(answer);
    const lost = addresses.filter((address) => address.endsWith('7'));
    for (const address of addresses) {
      expect(answers.get(address)).toMatchObject({ value: { isReached: !lost.includes(address) } });
    }
    const { readFileSync } = await import('node:fs');
    expect(readFileSync(tries, 'utf8').trim().split('\n')).toHaveLength(addresses.length + lost.length);
  });

  it('begins nothing after its deadline, and says of the rest that they were not asked', async () => {
    const addresses = Array.from({ length: 96 }, (_, index) => `127.0.7.${index + 1}`);
    const answer = knownValue(await ping('sleep 1; exit 1', addresses, 2));
    const states = [...answer.values()].map(({ known }) => known);
    expect(states.filter((isKnown) => isKnown).length).toBeGreaterThanOrEqual(32);
    expect(states.filter((isKnown) => !isKnown).length).toBeGreaterThanOrEqual(32);
  }, 20_000);

  it('sends from the address that it is told', async () => {
    const answer = knownValue(
      await ping('case "$*" in *"-I 172.7.21.1 "*) exit 0 ;; esac; exit 1', ['127.0.7.1'], 8, '172.7.21.1'),
    );
    expect(answer.get('127.0.7.1')).toMatchObject({ value: { isReached: true } });
  });
});
