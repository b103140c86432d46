import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, expect, it, vi } from 'vitest';
import { survey } from '../../src/lib/engine/survey';
import { fileContents, fileSums } from '../../src/lib/fact/files';
import { flannelPrograms } from '../../src/lib/fact/flannel-programs';
import { kernelSettings } from '../../src/lib/fact/kernel-settings';
import { listeningPorts } from '../../src/lib/fact/listening-ports';
import { machine } from '../../src/lib/fact/machine';
import { processesNamed } from '../../src/lib/fact/processes';
import { spaces } from '../../src/lib/fact/space';
import type { Host, Output } from '../../src/lib/host/host';
import { knownValue } from './captured';
import { shellHost } from './shell-host';

const host = shellHost(['sh']);
const folder = mkdtempSync(join(tmpdir(), 'netctl-facts-'));
const options = { timeoutMs: 20_000 };
const isRoot = process.getuid?.() === 0;
afterAll(() => rmSync(folder, { recursive: true }));

it('tells of files whatever they are called and whatever is in them', async () => {
  const bytes = Uint8Array.from({ length: 1000 }, (_, index) => index % 256);
  const odd = join(folder, "it's a\nfile $(x) -n");
  const link = join(folder, 'link');
  writeFileSync(odd, bytes);
  chmodSync(odd, 0o640);
  symlinkSync(odd, link);
  symlinkSync('/no/such/target', join(folder, 'dangling'));
  mkdirSync(join(folder, 'sub'));
  const paths = [
    odd,
    link,
    join(folder, 'dangling'),
    join(folder, 'sub'),
    join(folder, 'none'),
    '/no/such/folder/file',
  ];
  const { answers } = await survey(host, { contents: fileContents(paths), sums: fileSums(paths) }, options);
  const contents = paths.map((path) => knownValue(answers.contents).get(path));
  expect(contents[0]).toMatchObject({ value: { kind: 'file', mode: 0o640, sizeBytes: 1000, target: null } });
  // The mode of a link says nothing: that of the file behind it is told too.
  expect(contents[1]).toMatchObject({
    value: { kind: 'link', target: odd, through: { kind: 'file', mode: 0o640 } },
  });
  expect(contents[0]).not.toHaveProperty('value.through');
  for (const file of contents.slice(0, 2)) {
    expect(file?.known === true && file.value.present ? Array.from(file.value.bytes ?? []) : undefined).toEqual([
      ...bytes,
    ]);
  }
  expect(contents[2]).toMatchObject({ value: { kind: 'link', target: '/no/such/target', through: null, bytes: null } });
  expect(contents[3]).toMatchObject({ value: { kind: 'folder', bytes: null } });
  expect(contents.slice(4)).toEqual([0, 1].map(() => ({ known: true, value: { present: false } })));
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  expect(knownValue(answers.sums).get(link)).toMatchObject({ value: { sha256 } });
});

it('lets no secret of a process leave the node', async () => {
  const name = `fl-${process.pid}`.slice(0, 15);
  const program = join(folder, name);
  writeFileSync(program, '#!/bin/sh\nread x\n', { mode: 0o755 });
  const words = [
    '--etcd-password=hush1',
    '--etcd-password',
    'hush2',
    '--url=http://u:hush3@10.4.7.12/x',
    '--iface=eth0',
    'two\nlines',
  ];
  const environment = {
    FLANNELD_ETCD_PASSWORD: 'hush4',
    FLANNELD_ETCD_ENDPOINTS: 'http://me:hush5@a,http://b',
    OTHER: 'hush6',
  };
  const child = spawn(program, words, { env: environment, stdio: ['pipe', 'ignore', 'ignore'] });
  const outputs: Output[] = [];
  const heard: Host = {
    ...host,
    run: async (command, signal) => {
      const output = await host.run(command, signal);
      outputs.push(output);
      return output;
    },
  };
  try {
    await vi.waitFor(
      async () => {
        const { answers } = await survey(heard, { found: processesNamed(name, ['FLANNELD_']) }, options);
        expect(knownValue(answers.found)).toMatchObject([
          {
            pid: child.pid,
            isReplaced: false,
            words: [
              '/bin/sh',
              program,
              '--etcd-password=<redacted>',
              '--etcd-password',
              '<redacted>',
              '--url=http://<redacted>@10.4.7.12/x',
              '--iface=eth0',
              'two\nlines',
            ],
            environment: new Map([
              ['FLANNELD_ETCD_PASSWORD', '<redacted>'],
              ['FLANNELD_ETCD_ENDPOINTS', 'http://<redacted>@a,http://b'],
            ]),
          },
        ]);
        const [process] = knownValue(answers.found);
        expect(Math.abs((process?.startedAtSeconds ?? 0) - Date.now() / 1000)).toBeLessThan(30);
      },
      { timeout: 10_000 },
    );
    for (const { stdout, stderr } of outputs) expect(Buffer.concat([stdout, stderr]).toString()).not.toContain('hush');
  } finally {
    child.stdin.end('\n');
  }
});

it.skipIf(!isRoot)('runs no program to tell its release that others than root may write', async () => {
  const make = (name: string, mode: number) => {
    const path = join(folder, name);
    mkdirSync(path);
    writeFileSync(join(path, 'flanneld'), `#!/bin/sh\ntouch ${join(folder, `${name}-ran`)}\necho v0.22.3 >&2\n`);
    chmodSync(join(path, 'flanneld'), mode);
    return join(path, 'flanneld');
  };
  const safe = make('safe', 0o755);
  const writable = make('writable', 0o757);
  const open = make('open', 0o755);
  chmodSync(join(folder, 'open'), 0o777);
  const link = join(folder, 'flannel-link');
  symlinkSync(join(folder, 'safe'), link);
  const asked = [safe, writable, open, join(link, 'flanneld'), '/no/such/flanneld'];
  const { answers } = await survey(host, { programs: flannelPrograms(asked) }, options);
  expect(
    knownValue(answers.programs).map(({ path, version }) => [basename(join(path, '..')), version?.tag ?? null]),
  ).toEqual([
    ['safe', 'v0.22.3'],
    ['writable', null],
    ['open', null],
    ['flannel-link', 'v0.22.3'],
  ]);
  const { answers: ran } = await survey(
    host,
    { files: fileSums(['safe-ran', 'writable-ran', 'open-ran'].map((file) => join(folder, file))) },
    options,
  );
  expect([...knownValue(ran.files).values()].map((file) => file.known && file.value.present)).toEqual([
    true,
    false,
    false,
  ]);
});

it('reads what the kernel says whole, where a shell would read only its first byte', async () => {
  const { answers } = await survey(
    host,
    { kernelSettings, machine, listeningPorts, spaces: spaces([join(folder, 'not/there/yet')]) },
    options,
  );
  expect(knownValue(answers.kernelSettings).get('net/ipv4/ip_forward')).toMatch(/^[01]$/);
  for (const [path, value] of knownValue(answers.kernelSettings)) {
    if (path !== 'net/netfilter/nf_conntrack_count') {
      expect(`${path} ${value}`).toBe(`${path} ${readFileSync(`/proc/sys/${path}`, 'utf8').trim()}`);
    }
  }
  expect(knownValue(answers.machine).bootId).toHaveLength(36);
  expect(knownValue(answers.spaces).get(join(folder, 'not/there/yet'))).toMatchObject({ folder, isReadOnly: false });
});
