import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { pack } from 'tar-stream';
import { describe, expect, it } from 'vitest';
import {
  type ArchiveSource,
  archiveMember,
  archiveName,
  machineOf,
  machineOfElf,
  machines,
  parseArchiveName,
  readFlannelArchive,
} from '../../src/lib/net/flannel-archive';

interface Member {
  readonly name: string;
  readonly content?: Uint8Array | string;
  readonly type?: 'file' | 'symlink' | 'link' | 'directory' | 'character-device' | 'fifo';
  readonly linkname?: string;
}

/** The first bytes of a program, as `readelf -h` shows them. */
function elf(machine = 62, bits = 2, order = 1, kind = 2): Buffer {
  const bytes = Buffer.alloc(64);
  bytes.write('\x7fELF', 'latin1');
  bytes[4] = bits;
  bytes[5] = order;
  if (order === 2) {
    bytes.writeUInt16BE(kind, 16);
    bytes.writeUInt16BE(machine, 18);
  } else {
    bytes.writeUInt16LE(kind, 16);
    bytes.writeUInt16LE(machine, 18);
  }
  return bytes;
}

async function tarOf(members: readonly Member[]): Promise<Buffer> {
  const tar = pack();
  for (const { name, content = '', type = 'file', linkname } of members) {
    tar.entry(
      { name, type, ...(linkname === undefined ? {} : { linkname }) },
      typeof content === 'string' ? content : Buffer.from(content),
    );
  }
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) if (chunk instanceof Uint8Array) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

const release = (flanneld: Uint8Array | string = elf(), ...more: readonly Member[]): readonly Member[] => [
  { name: 'flanneld', content: flanneld },
  { name: 'mk-docker-opts.sh', content: '#!/bin/sh\n' },
  { name: 'README.md', content: '# flannel\n' },
  ...more,
];

const archiveOf = async (members: readonly Member[]): Promise<Buffer> => gzipSync(await tarOf(members));

/** In pieces of odd sizes, as a network delivers them. */
function sourceOf(bytes: Uint8Array, step = 1009): ArchiveSource {
  return async function* () {
    for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step);
  };
}

const amd64 = 'flannel-v0.28.9-linux-amd64.tar.gz';
const sum = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex');

describe('a release archive', () => {
  it('is read to its end, with the sum of each member', async () => {
    const program = Buffer.concat([elf(), Buffer.alloc(300_000, 'x')]);
    const bytes = await archiveOf(release(program));
    expect(await readFlannelArchive(sourceOf(bytes), { name: amd64, sha256: sum(bytes).toUpperCase() })).toEqual({
      name: amd64,
      bytes: bytes.length,
      sha256: sum(bytes),
      tag: 'v0.28.9',
      machine: 'x86_64',
      members: [
        { name: 'flanneld', bytes: program.length, sha256: sum(program) },
        { name: 'mk-docker-opts.sh', bytes: 10, sha256: sum('#!/bin/sh\n') },
        { name: 'README.md', bytes: 10, sha256: sum('# flannel\n') },
      ],
      problems: [],
    });
  });

  it('gives the bytes of one member, whichever stands before it', async () => {
    const program = Buffer.concat([elf(), Buffer.alloc(200_000, 'y')]);
    const source = sourceOf(await archiveOf(release(program)));
    for (const [name, content] of [
      ['mk-docker-opts.sh', Buffer.from('#!/bin/sh\n')],
      ['flanneld', program],
    ] as const) {
      const chunks: Uint8Array[] = [];
      for await (const chunk of archiveMember(source, amd64, name)) chunks.push(chunk);
      expect(Buffer.concat(chunks).equals(content)).toBe(true);
    }
  });

  it('that is another file than was meant is not even unpacked', async () => {
    const bomb = await archiveOf([{ name: '../../etc/passwd', content: 'x' }]);
    await expect(readFlannelArchive(sourceOf(bomb), { name: amd64, sha256: '0'.repeat(64) })).rejects.toMatchObject({
      code: 'archive-sha256-mismatch',
    });
  });

  it('may lack the README, and nothing else', async () => {
    const [flanneld, script] = release();
    if (flanneld === undefined || script === undefined) throw new Error('no members');
    const read = async (...members: Member[]) =>
      readFlannelArchive(sourceOf(await archiveOf(members)), { name: amd64 });
    expect((await read(script, flanneld)).members.map(({ name }) => name)).toEqual(['flanneld', 'mk-docker-opts.sh']);
    await expect(read(flanneld)).rejects.toMatchObject({ code: 'archive-incomplete' });
    await expect(read(script)).rejects.toMatchObject({ code: 'archive-incomplete' });
    await expect(read(flanneld, { name: 'mk-docker-opts.sh' })).rejects.toMatchObject({ code: 'archive-incomplete' });
  });

  it.each<[string, Member, RegExp]>([
    ['a way out of the folder', { name: '../flanneld', content: 'x' }, /outside/],
    ['an absolute path', { name: '/usr/bin/flanneld', content: 'x' }, /outside/],
    ['a folder', { name: 'flannel/', type: 'directory' }, /folder/],
    ['a file in a folder', { name: './flanneld', content: 'x' }, /folder/],
    ['the program for Windows', { name: 'flanneld.exe', content: 'MZ' }, /Windows/],
    ['a symbolic link', { name: 'README.md', type: 'symlink', linkname: '/etc/shadow' }, /symlink/],
    ['a hard link', { name: 'README.md', type: 'link', linkname: 'flanneld' }, /link/],
    ['a device', { name: 'README.md', type: 'character-device' }, /device/],
    ['a pipe', { name: 'README.md', type: 'fifo' }, /fifo/],
    ['a file twice', { name: 'flanneld', content: 'x' }, /twice/],
    ['a name that a terminal would obey', { name: '\u001b[2Jflanneld', content: 'x' }, /no part/],
    ['a very long name', { name: `${'a'.repeat(3000)}`, content: 'x' }, /no part/],
  ])('with %s is refused', async (_what, member, reason) => {
    const [flanneld, script] = release();
    if (flanneld === undefined || script === undefined) throw new Error('no members');
    const bytes = await archiveOf([flanneld, script, member]);
    const failure = await readFlannelArchive(sourceOf(bytes), { name: amd64 }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'archive-bad-member', message: expect.stringMatching(reason) });
    expect(String(failure).length).toBeLessThan(600);
  });

  it('that unpacks to more than any release is given up in time', async () => {
    const limits = { archiveBytes: 100_000, programBytes: 50_000, textBytes: 20_000 };
    const read = async (bytes: Uint8Array) => readFlannelArchive(sourceOf(bytes), { name: amd64, limits });
    const program = await archiveOf(release(Buffer.concat([elf(), Buffer.alloc(60_000)])));
    await expect(read(program)).rejects.toMatchObject({
      code: 'archive-too-large',
      message: expect.stringContaining('flanneld'),
    });
    const script = await archiveOf([{ name: 'mk-docker-opts.sh', content: Buffer.alloc(30_000) }]);
    await expect(read(script)).rejects.toMatchObject({ code: 'archive-too-large' });
    // Nothing but zeros behind the last member: a tar goes on until its stream ends.
    const zeros = gzipSync(Buffer.concat([await tarOf(release()), Buffer.alloc(5_000_000)]));
    expect(zeros.length).toBeLessThan(limits.archiveBytes);
    await expect(read(zeros)).rejects.toMatchObject({
      code: 'archive-too-large',
      message: expect.stringContaining('between'),
    });
    await expect(read(Buffer.concat([await archiveOf(release()), Buffer.alloc(100_000)]))).rejects.toMatchObject({
      code: 'archive-too-large',
      message: expect.stringContaining('the archive'),
    });
  });

  it('that is something else, or was cut off, is told in one line', async () => {
    const read = async (bytes: Uint8Array) => readFlannelArchive(sourceOf(bytes), { name: amd64 });
    const whole = await archiveOf(release(Buffer.concat([elf(), Buffer.from(sum('a').repeat(4000))])));
    for (const bytes of [
      Buffer.alloc(0),
      Buffer.from('<html>'),
      whole.subarray(0, whole.length / 2),
      gzipSync('not a tar'.repeat(200)),
      whole.subarray(0, 20),
    ]) {
      await expect(read(bytes)).rejects.toMatchObject({ code: 'archive-unreadable' });
    }
  });

  it('never makes anything but an error of ours of bytes that are damaged', async () => {
    const whole = await archiveOf(release());
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const damaged = Buffer.from(whole);
        damaged[at] = (damaged[at] ?? 0) ^ flip;
        const result = await readFlannelArchive(sourceOf(damaged), { name: amd64 }).catch((error: unknown) => error);
        if (result instanceof Error) expect(result.name).toBe('InvalidInput');
      }),
      { numRuns: 150 },
    );
  });

  it('whose file is gone leaves the words to whoever opened it', async () => {
    const missing: ArchiveSource = async function* () {
      yield await Promise.reject<Uint8Array>(Object.assign(new Error('no such file'), { code: 'ENOENT' }));
    };
    await expect(readFlannelArchive(missing, { name: amd64 })).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('the program in an archive', () => {
  const read = async (program: Uint8Array | string, name = amd64, step = 1009) =>
    readFlannelArchive(sourceOf(await archiveOf(release(program)), step), { name });

  it('says for which machine it is', () => {
    const found = [
      [62, 2, 1],
      [183, 2, 1],
      [40, 1, 1],
      [21, 2, 1],
      [22, 2, 2],
      [243, 2, 1],
      [8, 2, 1],
    ].map(([machine, bits, order]) => machineOfElf(elf(machine, bits, order)));
    expect(found).toEqual(machines);
    // 32-bit x86, ppc64 with the other end first, 32-bit RISC-V, an object file, a core dump, a short file.
    for (const other of [
      elf(3, 1, 1),
      elf(21, 2, 2),
      elf(243, 1, 1),
      elf(62, 2, 1, 1),
      elf(62, 2, 1, 4),
      elf().subarray(0, 19),
    ]) {
      expect(machineOfElf(other)).toBeUndefined();
    }
  });

  it('must be what the name says', async () => {
    await expect(read(elf(183))).rejects.toMatchObject({ code: 'archive-wrong-machine' });
    expect((await read(elf(183), 'flannel-v0.28.9-linux-arm64.tar.gz')).machine).toBe('aarch64');
    expect(await read(elf(183), 'my-flannel.tgz')).toMatchObject({ machine: 'aarch64', tag: null });
    await expect(read('MZ')).rejects.toMatchObject({ code: 'archive-not-a-program' });
  });

  it('says its release when it was built with Go 1.18 or later, wherever the pieces are cut', async () => {
    const text =
      '\tdep\tgolang.org/x/net\tv0.17.0\nbuild\t-ldflags="-s -w -X github.com/flannel-io/flannel/pkg/version.Version=v0.20.2 -extldflags \\"-static\\""\n';
    for (const before of [0, 16_300, 65_400]) {
      const program = Buffer.concat([
        elf(),
        Buffer.from(sum('z').repeat(2000)).subarray(0, before),
        Buffer.from(text),
        Buffer.alloc(500),
      ]);
      expect((await read(program, 'renamed.tar.gz', 7)).tag).toBe('v0.20.2');
      await expect(read(program)).rejects.toMatchObject({ code: 'archive-wrong-version' });
    }
  });

  it('may be a script, of which not everything can be checked', async () => {
    const archive = await read('#!/usr/bin/python3\nprint("flanneld")\n');
    expect(archive).toMatchObject({
      machine: null,
      tag: 'v0.28.9',
      problems: [{ code: 'archive-script', severity: 'warning' }],
    });
  });
});

describe('the name of an archive', () => {
  it('is made and read alike', () => {
    for (const machine of machines)
      expect(parseArchiveName(archiveName('v0.8.0-rc1', machine))).toEqual({ tag: 'v0.8.0-rc1', machine });
    for (const name of [
      'flannel-v0.28.9-windows-amd64.tar.gz',
      'flannel-0.28.9-linux-amd64.tar.gz',
      'flannel-v0.28.9-linux-i386.tar.gz',
      'x/flannel-v0.28.9-linux-amd64.tar.gz',
      '__proto__',
    ]) {
      expect(parseArchiveName(name), name).toBeUndefined();
    }
  });

  it('follows from what uname says', () => {
    expect(['x86_64\n', 'aarch64', 'armv6l', 'armv7l', 'mips64', 's390x', 'i686', ''].map(machineOf)).toEqual([
      'x86_64',
      'aarch64',
      'armv7l',
      'armv7l',
      'mips64le',
      's390x',
      undefined,
      undefined,
    ]);
  });
});
