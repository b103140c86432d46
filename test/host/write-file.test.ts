import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { adaptiveGzip } from '../../src/lib/host/adaptive-gzip';
import type { Host } from '../../src/lib/host/host';
import { localHost } from '../../src/lib/host/local';
import { connectSsh } from '../../src/lib/host/ssh';
import { pushFile, readFile, removeFile, writeFile } from '../../src/lib/host/write-file';
import { makeSshLand, type PrivateSshd, type SshLand, whyNoSshd } from './private-sshd';

const folder = mkdtempSync(join(tmpdir(), 'netctl-files-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex');
const modeOf = (file: string): number => statSync(file).mode & 0o7777;
const asRoot = process.getuid?.() === 0;
let count = 0;
const place = (): string => {
  count += 1;
  mkdirSync(join(folder, `p${count}`));
  return join(folder, `p${count}`, 'file');
};

describe('a file on a host', () => {
  const host = localHost({ name: 'node1' });
  const text = Buffer.from('after\n');

  it('is made with its mode, and its folders for all to enter', async () => {
    const path = join(place(), 'a b', "c'd", '-file');
    expect(await writeFile(host, { path, mode: 0o640, before: 'absent' }, text)).toBe('created');
    expect(readFileSync(path, 'utf8')).toBe('after\n');
    expect([modeOf(path), modeOf(join(path, '..')), modeOf(join(path, '../..'))]).toEqual([0o640, 0o755, 0o755]);
    expect(readdirSync(join(path, '..'))).toEqual(['-file']);
  });

  it('is left alone when it is right, and only dressed when mode or owner are not', async () => {
    const path = place();
    writeFileSync(path, text, { mode: 0o600 });
    const { ino } = statSync(path);
    expect(await writeFile(host, { path, mode: 0o644, before: { sha256: sha256('seen') } }, text)).toBe('attributes');
    expect(await writeFile(host, { path, mode: 0o644, before: { sha256: sha256('seen') } }, text)).toBe('unchanged');
    expect([modeOf(path), statSync(path).ino]).toEqual([0o644, ino]);
  });

  it('is replaced when it is what the plan saw', async () => {
    const path = place();
    writeFileSync(path, 'before', { mode: 0o600 });
    expect(await writeFile(host, { path, mode: 0o755, before: { sha256: sha256('before') } }, text)).toBe('replaced');
    expect([readFileSync(path, 'utf8'), modeOf(path)]).toEqual(['after\n', 0o755]);
  });

  it.each([
    ['was changed', 'meanwhile', { sha256: sha256('before') }, /somebody changed it/],
    ['is gone', undefined, { sha256: sha256('before') }, /it is gone/],
    ['came into being', 'meanwhile', 'absent', /somebody changed it/],
  ] as const)('is not written over when it %s after the plan', async (_, there, before, message) => {
    const path = place();
    if (there !== undefined) writeFileSync(path, there);
    await expect(writeFile(host, { path, mode: 0o644, before }, text)).rejects.toMatchObject({
      code: 'remote-file-changed',
      exit: 6,
      message: expect.stringMatching(message),
    });
    expect(existsSync(path) ? readFileSync(path, 'utf8') : undefined).toBe(there);
    expect(readdirSync(join(path, '..')).length).toBe(there === undefined ? 0 : 1);
  });

  it('is written through a symbolic link, which stays', async () => {
    const path = place();
    writeFileSync(`${path}.real`, 'before');
    symlinkSync('file.real', path);
    expect(await writeFile(host, { path, mode: 0o644, before: { sha256: sha256('before') } }, text)).toBe('replaced');
    expect([lstatSync(path).isSymbolicLink(), readFileSync(`${path}.real`, 'utf8')]).toEqual([true, 'after\n']);
  });

  it('is not written where a directory is, or nothing can be made', async () => {
    const path = place();
    mkdirSync(path);
    await expect(writeFile(host, { path, mode: 0o644, before: 'anything' }, text)).rejects.toMatchObject({
      code: 'remote-file-unwritable',
      message: expect.stringContaining('something that is not a file is there'),
    });
    await expect(
      writeFile(host, { path: '/proc/nothing/here', mode: 0o644, before: 'absent' }, text),
    ).rejects.toMatchObject({
      code: 'remote-file-unwritable',
      message: 'node1: /proc/nothing/here was not written: its folder cannot be made',
    });
  });

  it.skipIf(!asRoot)('keeps its owner unless another is wished', async () => {
    const path = place();
    writeFileSync(path, 'before');
    await host.run({ argv: ['chown', 'nobody:daemon', path] });
    await writeFile(host, { path, mode: 0o644, before: 'anything' }, text);
    expect(await readFile(host, path)).toMatchObject({ owner: 'nobody:daemon' });
    await writeFile(host, { path, mode: 0o4755, owner: 'root:root', before: 'anything' }, text);
    expect(await readFile(host, path)).toMatchObject({ owner: 'root:root', mode: 0o4755 });
    await expect(
      writeFile(host, { path, mode: 0o644, owner: 'no-such-user:x', before: 'anything' }, Buffer.from('x')),
    ).rejects.toMatchObject({
      code: 'remote-file-unwritable',
      message: expect.stringContaining('mode or owner cannot be set'),
    });
    expect(readFileSync(path, 'utf8')).toBe('after\n');
  });

  it('comes back byte for byte, whatever is in it', async () => {
    const path = place();
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 2000 }),
        fc.constantFrom(0o600, 0o644, 0o755),
        async (bytes, mode) => {
          await writeFile(host, { path, mode, before: 'anything' }, bytes);
          expect(await readFile(host, path)).toEqual({
            bytes: Buffer.from(bytes),
            sha256: sha256(bytes),
            mode,
            owner: expect.any(String),
          });
        },
      ),
      { numRuns: 15 },
    );
  });

  it('that is not there is absent; what cannot be told is an error', async () => {
    const path = place();
    expect(await readFile(host, path)).toBe('absent');
    expect(await readFile(host, '/etc/passwd/x')).toBe('absent');
    await expect(readFile(host, folder)).rejects.toMatchObject({
      code: 'remote-file-unreadable',
      message: `node1: ${folder} cannot be read: it is a directory`,
    });
    if (asRoot) {
      writeFileSync(path, 'x');
      chmodSync(join(path, '..'), 0o700);
      const nobody: Host = {
        ...host,
        run: (command) => host.run({ ...command, argv: ['setpriv', '--reuid', '65534', '--', ...command.argv] }),
      };
      await expect(readFile(nobody, path)).rejects.toMatchObject({
        code: 'remote-file-unreadable',
        message: expect.stringContaining('Permission denied'),
      });
    }
  });

  it('is removed when it is what the plan saw, and being gone is right', async () => {
    const path = place();
    writeFileSync(path, 'meanwhile');
    await expect(removeFile(host, path, { sha256: sha256('before') })).rejects.toMatchObject({
      code: 'remote-file-changed',
    });
    expect(await removeFile(host, path, { sha256: sha256('meanwhile') })).toBe('removed');
    expect(await removeFile(host, path, { sha256: sha256('meanwhile') })).toBe('absent');
  });

  it('is rid of what a power cut left beside it, once that is old', async () => {
    const path = place();
    const [old, young] = [join(path, '../.file.netctl-abcdef'), join(path, '../.file.netctl-ghijkl')];
    for (const file of [old, young]) writeFileSync(file, 'half');
    const hours = new Date(Date.now() - 2 * 3600 * 1000);
    utimesSync(old, hours, hours);
    await writeFile(host, { path, mode: 0o644, before: 'absent' }, text);
    expect([existsSync(old), existsSync(young)]).toEqual([false, true]);
  });

  it('is not touched when what arrives is not what was sent', async () => {
    const path = place();
    writeFileSync(path, 'before');
    const source = { sha256: sha256('other'), sizeBytes: 4, open: () => chunks([Buffer.from('sent')]) };
    await expect(pushFile(host, { path, mode: 0o644, before: 'anything' }, source)).rejects.toMatchObject({
      code: 'remote-file-damaged',
      exit: 5,
    });
    expect(readdirSync(join(path, '..')).map((name) => [name, readFileSync(join(path, '..', name), 'utf8')])).toEqual([
      ['file', 'before'],
    ]);
  });
});

describe.skipIf(whyNoSshd !== undefined)('a large file pushed by SSH', () => {
  let land: SshLand;
  let sshd: PrivateSshd;
  let host: Host;
  // Half noise, half zeros, as a program is: it shrinks, though not to nothing.
  const content = Buffer.concat(
    Array.from({ length: 50 }, (_, index) => (index % 2 === 0 ? randomBytes(1024 * 1024) : Buffer.alloc(1024 * 1024))),
  );
  const source = {
    sha256: sha256(content),
    sizeBytes: content.length,
    open: () =>
      chunks(Array.from({ length: 200 }, (_, index) => content.subarray(index * 262_144, (index + 1) * 262_144))),
  };

  beforeAll(async () => {
    land = makeSshLand();
    sshd = await land.sshd();
    host = connectSsh(sshd.target());
  });
  afterAll(async () => {
    host?.close();
    await land?.remove();
  });

  it('arrives whole: 50 MB, its sha256 checked there before it takes its place', async () => {
    const path = place();
    const progress: number[] = [];
    expect(
      await pushFile(
        host,
        { path, mode: 0o755, before: 'absent' },
        { ...source, onProgress: (sent) => progress.push(sent) },
      ),
    ).toBe('created');
    expect([sha256(readFileSync(path)), modeOf(path)]).toEqual([source.sha256, 0o755]);
    expect(progress.at(-1)).toBe(content.length);
    expect(await pushFile(host, { path, mode: 0o755, before: 'absent' }, source)).toBe('unchanged');
  });

  const interruptions: readonly (readonly [string, (control: AbortController, pushed: PrivateSshd) => void])[] = [
    ['is called off', (control) => control.abort(new Error('Ctrl-C'))],
    ['loses its connection', (_, pushed) => pushed.killConnections()],
  ];
  it.each(interruptions)('leaves nothing half-written when it %s', async (_, interrupt) => {
    const path = place();
    writeFileSync(path, 'before');
    const doomed = await land.sshd();
    const pushing = connectSsh(doomed.target());
    const control = new AbortController();
    const open = async function* () {
      for await (const [index, chunk] of indexed(source.open())) {
        if (index === 40) interrupt(control, doomed);
        yield chunk;
        await sleep(2);
      }
    };
    await expect(
      pushFile(pushing, { path, mode: 0o755, before: 'anything' }, { ...source, open }, control.signal),
    ).rejects.toThrow();
    pushing.close();
    const names = () => readdirSync(join(path, '..'));
    for (let tries = 0; tries < 150 && names().length > 1; tries++) await sleep(20);
    expect(names()).toEqual(['file']);
    expect(readFileSync(path, 'utf8')).toBe('before');
  });
});

describe('packing on the way', () => {
  const collect = async (stream: AsyncIterable<Uint8Array>, waitMs: number): Promise<Buffer> => {
    const all: Uint8Array[] = [];
    for await (const chunk of stream) {
      all.push(chunk);
      if (waitMs > 0) await sleep(waitMs);
    }
    return Buffer.concat(all);
  };
  const megabytes = (count: number, make: () => Buffer) => Array.from({ length: count }, make);

  it('does not pack for a fast receiver, packs for a slow one, and the content is the same', async () => {
    const pieces = megabytes(24, () => Buffer.alloc(1024 * 1024, 'netctl '));
    const [fast, slow] = [
      await collect(adaptiveGzip(chunks(pieces)), 0),
      await collect(adaptiveGzip(chunks(pieces)), 10),
    ];
    expect(fast.length).toBeGreaterThan(24 * 1024 * 1024);
    expect(slow.length).toBeLessThan(18 * 1024 * 1024);
    for (const packed of [fast, slow]) expect(gunzipSync(packed).equals(Buffer.concat(pieces))).toBe(true);
  });

  it('gives up packing what does not shrink', async () => {
    const pieces = megabytes(24, () => randomBytes(1024 * 1024));
    const slow = await collect(adaptiveGzip(chunks(pieces)), 5);
    expect(gunzipSync(slow).equals(Buffer.concat(pieces))).toBe(true);
    expect(slow.length).toBeLessThan(24.1 * 1024 * 1024);
  });

  it('fails when its source fails', async () => {
    const broken = async function* () {
      yield Buffer.from('x');
      throw new Error('the disk broke');
    };
    await expect(collect(adaptiveGzip(broken()), 0)).rejects.toThrow('the disk broke');
  });
});

async function* chunks(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces;
}

async function* indexed<T>(items: AsyncIterable<T>): AsyncGenerator<readonly [number, T]> {
  let index = 0;
  for await (const item of items) yield [index++, item];
}
