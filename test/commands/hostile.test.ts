import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { cleanEnv, type Ended, node, runJs, runToEnd } from '../support/built';
import { cliFor } from '../support/cli';
import { documentOf } from '../support/documents';
import { type Etcd, startEtcd } from '../support/etcd';
import { prefix } from '../support/flannel-leases';

const escapes = '\x1b]0;owned\x07\x1b[2J\x1b[31mred\x9b31m';
const bidi = '\u202egnp.exe\u202c\u200b\u2066x\u2069\ufeff';
// C0 but the line end, DEL, C1, bidi controls, zero width, line separators, tags: nothing of it may reach a terminal.
const unsafe =
  /[\0-\x09\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e007f}]/u;

/** Puts bytes that no command line could carry, by etcd's JSON gateway. */
function put(etcd: Etcd, key: string | Buffer, value: string | Buffer): Promise<void> {
  const body = JSON.stringify({
    key: Buffer.from(key).toString('base64'),
    value: Buffer.from(value).toString('base64'),
  });
  return new Promise((resolve, reject) => {
    const call = request(`${etcd.endpoints[0]}/v3/kv/put`, { method: 'POST' }, (response) => {
      response.resume();
      response.on('end', () => (response.statusCode === 200 ? resolve() : reject(new Error(`${response.statusCode}`))));
    });
    call.on('error', reject);
    call.end(body);
  });
}

const lease = (fields: object): string => JSON.stringify({ PublicIP: '192.168.0.1', BackendType: 'vxlan', ...fields });

/** Every command that reads what etcd holds. */
const commands: readonly (readonly string[])[] = [
  ['subnets', 'ls'],
  ['subnets', 'show', '10.1.1.0/24'],
  ['subnets', 'show', '10.1.0.0/16'],
  ['subnets', 'map'],
  ['subnets', 'check'],
  ['network', 'show'],
  ['network', 'validate', '--live'],
  ['network', 'history'],
  ['network', 'rollback', '--dry-run'],
  ['init-network', '10.9.0.0/16', '--dry-run'],
];
const named = commands.map((argv) => [argv.join(' '), argv] as const);
const formats = ['table', 'wide', 'json', 'yaml', 'csv', 'name'] as const;

/** Ended as a command may end, whatever it read, and printed nothing that a terminal would obey. */
function expectHarmless(run: Ended, what: string): void {
  expect([0, 2, 3, 10], `${what}: ${run.stderr.slice(0, 500)}`).toContain(run.status);
  for (const text of [run.stdout, run.stderr]) {
    const at = text.search(unsafe);
    expect(at === -1 ? '' : JSON.stringify(text.slice(Math.max(0, at - 40), at + 20)), what).toBe('');
    expect(text, what).not.toMatch(/this is a bug|\n {4}at /);
  }
}

function expectReadable(format: string, run: Ended, what: string): void {
  if (run.stdout === '') return;
  if (format === 'json') expect(() => JSON.parse(run.stdout), what).not.toThrow();
  if (format === 'yaml') expect(() => parse(run.stdout), what).not.toThrow();
}

describe('netctl before hostile values in etcd', () => {
  let etcd: Etcd;
  let cli: ReturnType<typeof cliFor>;
  beforeAll(async () => {
    etcd = await startEtcd();
    cli = cliFor({ NETCTL_ENDPOINTS: etcd.endpoints[0], NETCTL_ETCD_API: 'v3' });
    const config = (fields: object) =>
      JSON.stringify({ Network: '10.1.0.0/16', Backend: { Type: 'vxlan', [escapes]: bidi }, ...fields });
    await put(etcd, `${prefix}/config`, config({ [escapes]: escapes, ['__proto__x']: bidi }));
    const subnets = `${prefix}/subnets/`;
    await put(
      etcd,
      `${subnets}10.1.1.0-24`,
      lease({ BackendType: escapes, BackendData: { VtepMAC: bidi, VNI: 1e308 } }),
    );
    await put(
      etcd,
      `${subnets}10.1.2.0-24`,
      lease({ BackendType: `vxlan\n10.1.99.0/24  forged`, PublicIP: '192.168.0.2' }),
    );
    await put(
      etcd,
      `${subnets}10.1.3.0-24`,
      Buffer.from('{"PublicIP":"192.168.0.3","BackendType":"\xff\xfe\xc0\x80"}', 'latin1'),
    );
    await put(
      etcd,
      `${subnets}10.1.4.0-24`,
      '{"PublicIP":"192.168.0.4","__proto__":{"permanent":true},"constructor":{"prototype":1},"BackendType":"__proto__","BackendData":{"__proto__":{"polluted":1},"toString":1}}',
    );
    await put(etcd, `${subnets}10.1.5.0-24`, escapes);
    await put(etcd, `${subnets}10.1.6.0-24`, Buffer.from([0xff, 0x00, 0xfe]));
    await put(
      etcd,
      `${subnets}10.1.7.0-24`,
      `{"PublicIP":"192.168.0.7","BackendData":${'['.repeat(9000)}${']'.repeat(9000)}}`,
    );
    await put(
      etcd,
      `${subnets}10.1.8.0-24`,
      lease({ PublicIP: '192.168.0.8', BackendType: '=cmd|calc', BackendData: '@sum' }),
    );
    await put(etcd, `${subnets}${escapes}`, '{}');
    await put(etcd, `${subnets}${bidi}`, '{}');
    await put(etcd, Buffer.concat([Buffer.from(subnets), Buffer.from([0xff, 0xfe, 0x0a])]), 'x');
    await put(etcd, `${subnets}__proto__`, '{}');
    await put(etcd, `${prefix}/__proto__`, escapes);
    await put(etcd, `${prefix}${escapes}`, escapes);
    // netctl's own records, forged by somebody else.
    const record = {
      apiVersion: 'netctl/v1',
      kind: 'ReplacedConfig',
      revision: '1',
      replacedAt: escapes,
      replacedBy: bidi,
      command: escapes,
    };
    const own = `${prefix}-netctl/history/`;
    await put(
      etcd,
      `${own}00000000000000000001`,
      JSON.stringify({ ...record, configBase64: Buffer.from(config({})).toString('base64') }),
    );
    await put(etcd, `${own}00000000000000000002`, '{"kind":"ReplacedConfig","__proto__":{"revision":"2"}}');
    await put(etcd, `${own}${escapes}`, escapes);
    writeFileSync(join(cli.home, 'netctl.yaml'), 'nodes:\n  - { name: web1, address: 192.168.0.1 }\n');
  });
  afterAll(async () => {
    cli.remove();
    await etcd.stop();
  });

  it.each(named)('%s prints nothing raw in any format, and what it prints can be parsed', async (_, argv) => {
    for (const format of formats) {
      const words = [...argv, '-o', format];
      const run = await cli.netctl(words);
      expectHarmless(run, words.join(' '));
      expectReadable(format, run, words.join(' '));
    }
  });

  it('keeps each row on one line and takes no word of a value for its own', async () => {
    const { stdout } = await cli.netctl(['subnets', 'ls']);
    expect(stdout.split('\n').filter((line) => line.startsWith('10.1.99.0/24'))).toEqual([]);
    const { items } = documentOf('SubnetList', (await cli.netctl(['subnets', 'ls', '-o', 'json'])).stdout);
    expect(items.find(({ subnet }) => subnet === '10.1.1.0/24')?.backend).toBe(escapes);
    expect(items.find(({ subnet }) => subnet === '10.1.2.0/24')?.backend).toContain('\n');
    expect(items.find(({ subnet }) => subnet === '10.1.4.0/24')).toMatchObject({
      permanent: true,
      backend: '__proto__',
    });
  });

  it('watches them harmlessly', async () => {
    for (const format of ['table', 'json']) {
      const line = `timeout -s INT 3 "$0" "$1" subnets ls --watch -o ${format}`;
      const run = await runToEnd(['bash', '-c', line, node, runJs], {
        env: cleanEnv(cli.home, { NETCTL_ENDPOINTS: etcd.endpoints[0] }),
      });
      expect(run.stdout).toContain('10.1.4.0/24');
      expect(run.stdout).not.toMatch(unsafe);
      expect(run.stderr).not.toMatch(unsafe);
      if (format === 'json') for (const each of run.stdout.trimEnd().split('\n')) documentOf('SubnetEvent', each);
    }
  });
});

describe('netctl before very much in etcd', () => {
  let etcd: Etcd;
  let cli: ReturnType<typeof cliFor>;
  /** Peak memory of a run, by the shell's account of its children. */
  const measured = async (
    argv: readonly string[],
  ): Promise<Ended & { readonly megabytes: number; readonly seconds: number }> => {
    const script =
      'import resource,subprocess,sys;r=subprocess.run(sys.argv[1:]);print("peak=%d"%(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss//1024),file=sys.stderr);sys.exit(r.returncode)';
    const start = performance.now();
    const run = await runToEnd(['python3', '-c', script, node, runJs, ...argv], {
      env: cleanEnv(cli.home, { NETCTL_ENDPOINTS: etcd.endpoints[0] }),
    });
    const seconds = (performance.now() - start) / 1000;
    return { ...run, megabytes: Number(/peak=(\d+)/.exec(run.stderr)?.[1]), seconds };
  };

  beforeAll(async () => {
    etcd = await startEtcd();
    cli = cliFor({ NETCTL_ENDPOINTS: etcd.endpoints[0] });
    const megabyte = 'A'.repeat(1_000_000);
    const subnets = `${prefix}/subnets/`;
    await put(
      etcd,
      `${prefix}/config`,
      JSON.stringify({ Network: '10.1.0.0/16', Backend: { Type: 'vxlan' }, Note: megabyte }),
    );
    await put(etcd, `${subnets}10.1.1.0-24`, lease({ BackendType: megabyte }));
    await put(etcd, `${subnets}10.1.2.0-24`, lease({ PublicIP: '192.168.0.2', BackendData: { VtepMAC: megabyte } }));
    await put(etcd, `${subnets}10.1.3.0-24`, megabyte);
    await put(etcd, `${subnets}10.1.4.0-24`, lease({ PublicIP: '192.168.0.4' }));
    await put(etcd, `${subnets}${'k'.repeat(100_000)}`, '{}');
    for (let start = 0; start < 10_000; start += 250) {
      await Promise.all(
        Array.from({ length: 250 }, (_, index) =>
          put(etcd, `${subnets}garbage-${start + index}`, index % 2 === 0 ? '\x1b[2J' : '{}'),
        ),
      );
    }
  });
  afterAll(async () => {
    cli.remove();
    await etcd.stop();
  });

  it.each(named)('%s stays within memory and time', async (_, argv) => {
    for (const format of ['table', 'json'] as const) {
      const words = [...argv, '-o', format];
      const run = await measured(words);
      expectHarmless(run, words.join(' '));
      expectReadable(format, run, words.join(' '));
      expect(run.megabytes, `${words.join(' ')}: MB`).toBeLessThan(400);
      expect(run.seconds, `${words.join(' ')}: s`).toBeLessThan(15);
      // A person is shown a text of a megabyte in part.
      if (format === 'table') for (const line of run.stdout.split('\n')) expect(line.length).toBeLessThan(10_000);
    }
  });
});
