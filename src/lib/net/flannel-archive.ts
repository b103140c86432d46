import { createHash } from 'node:crypto';
import { InvalidInput } from '../errors';
import type { Problem } from './problem';

/** What a flanneld binary runs on, by the names that `uname -m` gives it. */
export const machines = ['x86_64', 'aarch64', 'armv7l', 'ppc64le', 's390x', 'riscv64', 'mips64le'] as const;

export type Machine = (typeof machines)[number];

/** Names of one machine: flannel's in its archives, and what `uname -m` may say there. */
const namesOf: Readonly<Record<Machine, { readonly archive: string; readonly uname: readonly string[] }>> = {
  x86_64: { archive: 'amd64', uname: ['x86_64', 'amd64'] },
  aarch64: { archive: 'arm64', uname: ['aarch64', 'arm64'] },
  // flannel builds one for all of them.
  armv7l: { archive: 'arm', uname: ['armv7l', 'armv6l', 'armv8l', 'armhf'] },
  ppc64le: { archive: 'ppc64le', uname: ['ppc64le'] },
  s390x: { archive: 's390x', uname: ['s390x'] },
  riscv64: { archive: 'riscv64', uname: ['riscv64'] },
  // The kernel does not say which end comes first.
  mips64le: { archive: 'mips64le', uname: ['mips64', 'mips64el', 'mips64le'] },
};

/** The machine that `uname -m` names; undefined when flannel has no release for it. */
export function machineOf(uname: string): Machine | undefined {
  return machines.find((machine) => namesOf[machine].uname.includes(uname.trim()));
}

/** flannel's own word for it, as in `flannel-v0.28.9-linux-amd64.tar.gz`. */
function archiveArchitecture(machine: Machine): string {
  return namesOf[machine].archive;
}

export function archiveName(tag: string, machine: Machine): string {
  return `flannel-${tag}-linux-${archiveArchitecture(machine)}.tar.gz`;
}

export interface ArchiveNameParts {
  /** `v0.28.9` */
  readonly tag: string;
  readonly machine: Machine;
}

/** Release and machine by the name of an archive; undefined for a name that flannel does not give. */
export function parseArchiveName(name: string): ArchiveNameParts | undefined {
  const match =
    /^flannel-(v\d{1,4}\.\d{1,4}\.\d{1,4}(?:[-+][0-9A-Za-z.+-]{1,64})?)-linux-([a-z0-9]{1,16})\.tar\.gz$/.exec(name);
  const machine = machines.find((candidate) => namesOf[candidate].archive === match?.[2]);
  return match?.[1] === undefined || machine === undefined ? undefined : { tag: match[1], machine };
}

export interface ArchiveMember {
  readonly name: MemberName;
  readonly bytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

/** A release archive that was read to its end and found right. */
export interface FlannelArchive {
  readonly name: string;
  readonly bytes: number;
  /** Lower-case hex, of the archive as it is. */
  readonly sha256: string;
  /** By the binary when it says so, else by the archive's name; null when neither does. */
  readonly tag: string | null;
  /** By the ELF header; null for a script, which runs on all. */
  readonly machine: Machine | null;
  /** `flanneld`, `mk-docker-opts.sh` and `README.md` when it is there, in this order. */
  readonly members: readonly ArchiveMember[];
  /** Warnings only: what is an error is thrown. */
  readonly problems: readonly Problem[];
}

/** Opens the archive anew, from its beginning, every time. */
export type ArchiveSource = () => AsyncIterable<Uint8Array>;

export interface ArchiveLimits {
  readonly archiveBytes: number;
  readonly programBytes: number;
  readonly textBytes: number;
}

/** Released archives hold 10 to 20 MB, flanneld in them up to 60 MB. */
export const archiveLimits: ArchiveLimits = {
  archiveBytes: 256 * 1024 * 1024,
  programBytes: 256 * 1024 * 1024,
  textBytes: 1024 * 1024,
};

const memberNames = ['flanneld', 'mk-docker-opts.sh', 'README.md'] as const;
export type MemberName = (typeof memberNames)[number];

/**
 * Reads a release archive as a stream and checks what is in it. Its own sum is compared before anything is unpacked; nothing
 * is written anywhere.
 * @param options `name`: the file's name, without folder · `sha256`: what the archive must have, hex
 * @throws InvalidInput `archive-sha256-mismatch`, `archive-too-large`, `archive-unreadable`, `archive-bad-member`, `archive-incomplete`,
 *   `archive-not-a-program`, `archive-wrong-machine`, `archive-wrong-version`; and what the source throws
 */
export async function readFlannelArchive(
  source: ArchiveSource,
  options: { readonly name: string; readonly sha256?: string; readonly limits?: ArchiveLimits },
): Promise<FlannelArchive> {
  const { name, limits = archiveLimits } = options;
  const whole = await sumOf(source, name, limits);
  const expected = options.sha256?.toLowerCase();
  if (expected !== undefined && expected !== whole.sha256) {
    throw new InvalidInput({
      code: 'archive-sha256-mismatch',
      message: `${name} has SHA-256 ${whole.sha256}, not ${expected}: it is another file than was meant, or damaged`,
      next: [`sha256sum ${name}`, 'Fetch the archive again, or correct flannel.sha256'],
    });
  }
  const members = new Map<MemberName, ArchiveMember>();
  const program = new ProgramReader();
  await eachMember(source, name, limits, async (member, content) => {
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const chunk of content) {
      hash.update(chunk);
      bytes += chunk.length;
      if (member === 'flanneld') program.take(chunk);
    }
    members.set(member, { name: member, bytes, sha256: hash.digest('hex') });
  });
  for (const needed of ['flanneld', 'mk-docker-opts.sh'] as const) {
    if ((members.get(needed)?.bytes ?? 0) > 0) continue;
    throw new InvalidInput({
      code: 'archive-incomplete',
      message: `${name} holds no ${needed}${members.has(needed) ? ' but an empty file of that name' : ''}: a release of flannel has flanneld and mk-docker-opts.sh, without a folder around them`,
      next: [`tar -tzvf ${name}`, 'tar -czf flannel-vX.Y.Z-linux-amd64.tar.gz flanneld mk-docker-opts.sh README.md'],
    });
  }
  const judged = judgeProgram(program, name);
  return {
    name,
    ...whole,
    ...judged,
    members: memberNames.flatMap((member) => members.get(member) ?? []),
  };
}

/**
 * The bytes of one member, to be sent to a node without unpacking the archive to disk.
 * @throws InvalidInput as `readFlannelArchive`, which should have been called before
 */
export async function* archiveMember(
  source: ArchiveSource,
  name: string,
  member: 'flanneld' | 'mk-docker-opts.sh' | 'README.md',
): AsyncIterable<Uint8Array> {
  for await (const entry of entriesOf(source, name, archiveLimits)) {
    if (entry.name === member) {
      yield* entry.content;
      return;
    }
  }
  throw new InvalidInput({
    code: 'archive-incomplete',
    message: `${name} holds no ${member}`,
    next: [`tar -tzvf ${name}`],
  });
}

async function sumOf(
  source: ArchiveSource,
  name: string,
  limits: ArchiveLimits,
): Promise<{ readonly bytes: number; readonly sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  let isGzip = true;
  for await (const chunk of source()) {
    // The first two bytes, however they come.
    for (let index = 0; index < chunk.length && bytes + index < 2; index += 1) {
      isGzip &&= chunk[index] === (bytes + index === 0 ? 0x1f : 0x8b);
    }
    bytes += chunk.length;
    if (bytes > limits.archiveBytes) throw tooLarge(name, 'the archive', limits.archiveBytes);
    hash.update(chunk);
  }
  if (bytes < 2 || !isGzip) {
    throw unreadable(
      name,
      bytes === 0 ? 'it is empty' : 'it does not begin as a .tar.gz does (an error page of a proxy?)',
    );
  }
  return { bytes, sha256: hash.digest('hex') };
}

function tooLarge(name: string, what: string, limit: number): InvalidInput {
  return new InvalidInput({
    code: 'archive-too-large',
    message: `${name}: ${what} holds more than ${limit} bytes, which no release of flannel does`,
    next: [`ls -l ${name}`],
  });
}

function unreadable(name: string, reason: string, cause?: unknown): InvalidInput {
  return new InvalidInput({
    code: 'archive-unreadable',
    message: `${name} cannot be read as a .tar.gz: ${reason}`,
    next: [`gzip -t ${name} && tar -tzvf ${name}`, 'Fetch the archive again'],
    cause,
  });
}

function badMember(archive: string, member: string, reason: string): InvalidInput {
  const shown = member.length > 200 ? `${member.slice(0, 200)}…` : member;
  return new InvalidInput({
    code: 'archive-bad-member',
    message: `${archive} holds ${JSON.stringify(shown)}, ${reason}`,
    next: [
      `tar -tzvf ${archive}`,
      'A release of flannel holds flanneld, mk-docker-opts.sh and README.md, and no folder',
    ],
  });
}

interface Entry {
  readonly name: string;
  readonly type: string;
  readonly bytes: number;
  readonly content: AsyncIterable<Uint8Array>;
}

/** The stream of members. What is left unread when the caller stops is given up. */
async function* entriesOf(source: ArchiveSource, name: string, limits: ArchiveLimits): AsyncIterable<Entry> {
  // Loaded here: few commands open an archive.
  const [{ extract }, { createGunzip }, { Readable }] = await Promise.all([
    import('tar-stream'),
    import('node:zlib'),
    import('node:stream'),
  ]);
  const compressed = Readable.from(source());
  const plain = createGunzip();
  const tar = extract();
  let failure: unknown;
  const fail = (error: unknown): void => {
    failure ??= error;
    compressed.destroy();
    plain.destroy();
    tar.destroy();
  };
  const words = (error: unknown): unknown => wordsFor(failure ?? error, name);
  compressed.on('error', fail).pipe(plain);
  plain.on('error', fail);
  tar.on('error', fail);
  // What the reader still may be given: the size of the member at hand, and headers. A pax header is kept in memory whole.
  let allowance = limits.textBytes;
  plain.on('data', (chunk: Uint8Array) => {
    allowance -= chunk.length;
    if (allowance < 0) fail(tooLarge(name, 'what is between its members', limits.textBytes));
    else if (!tar.write(chunk)) {
      plain.pause();
      tar.once('drain', () => plain.resume());
    }
  });
  plain.on('end', () => tar.end(null));
  try {
    for await (const entry of tar) {
      const { name: member, type, size } = entry.header;
      if (!(size <= limits.programBytes))
        throw tooLarge(name, JSON.stringify(member.slice(0, 200)), limits.programBytes);
      allowance += size + 1024;
      yield { name: member, type, bytes: size, content: bytesOf(entry, words) };
      // What was not read must go by, or the next member never comes.
      entry.resume();
    }
    if (failure !== undefined) throw failure;
  } catch (error) {
    throw words(error);
  } finally {
    fail(undefined);
  }
}

/** The content of a member. A stream that breaks off is told by its first reason. */
async function* bytesOf(entry: AsyncIterable<unknown>, words: (error: unknown) => unknown): AsyncIterable<Uint8Array> {
  try {
    for await (const chunk of entry) {
      if (chunk instanceof Uint8Array) yield chunk;
    }
  } catch (error) {
    throw words(error);
  }
}

function wordsFor(error: unknown, name: string): unknown {
  if (error instanceof InvalidInput || !(error instanceof Error)) return error;
  const code = 'code' in error ? String(error.code) : '';
  // What the source said (a file that is gone) is the caller's to explain.
  if (/^E[A-Z]+$/.test(code)) return error;
  return unreadable(name, error.message, error);
}

async function eachMember(
  source: ArchiveSource,
  archive: string,
  limits: ArchiveLimits,
  read: (name: MemberName, content: AsyncIterable<Uint8Array>) => Promise<void>,
): Promise<void> {
  const seen = new Set<string>();
  for await (const entry of entriesOf(source, archive, limits)) {
    const { name, type, bytes, content } = entry;
    const known = memberNames.find((candidate) => candidate === name);
    if (known === undefined) throw badMember(archive, name, reasonAgainst(name));
    if (type !== 'file') throw badMember(archive, name, `which is a ${type} and not a file`);
    if (seen.has(name)) throw badMember(archive, name, 'twice');
    seen.add(name);
    const limit = known === 'flanneld' ? limits.programBytes : limits.textBytes;
    if (bytes > limit) throw tooLarge(archive, name, limit);
    await read(known, content);
  }
}

function reasonAgainst(name: string): string {
  if (name.startsWith('/') || name.split('/').includes('..')) return 'which would be written outside of its folder';
  if (name.endsWith('.exe')) return 'so it is the release for Windows';
  if (name.includes('/')) return 'which lies in a folder';
  return 'which is no part of a release';
}

/** Collects of flanneld what tells about it, while its bytes go by. */
class ProgramReader {
  head = Buffer.alloc(0);
  /** `v0.28.9`, as the linker was told: stands in the build information of Go 1.18 and later. */
  tag: string | null = null;
  #tail = Buffer.alloc(0);

  take(chunk: Uint8Array): void {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    if (this.head.length < 64) this.head = Buffer.concat([this.head, bytes]).subarray(0, 64);
    if (this.tag !== null) return;
    // Only the text that names the variable counts: the releases of Go modules stand in the binary as well.
    const text = Buffer.concat([this.#tail, bytes]);
    for (let at = text.indexOf('version.Version=v'); at >= 0; at = text.indexOf('version.Version=v', at + 1)) {
      const match = /^version\.Version=(v\d{1,4}\.\d{1,4}\.\d{1,4}(?:[-+][0-9A-Za-z.+-]{1,64})?)[^0-9A-Za-z.+-]/.exec(
        text.subarray(at, at + 128).toString('latin1'),
      );
      if (match !== null) {
        this.tag = match[1] ?? null;
        return;
      }
    }
    this.#tail = Buffer.from(text.subarray(-128));
  }
}

/** `e_machine` of the ELF header (elf.h), with the word size and the byte order that flannel builds for. */
const elfMachines: readonly (readonly [number: number, bits: 1 | 2, order: 1 | 2, Machine])[] = [
  [62, 2, 1, 'x86_64'],
  [183, 2, 1, 'aarch64'],
  [40, 1, 1, 'armv7l'],
  [21, 2, 1, 'ppc64le'],
  [22, 2, 2, 's390x'],
  [243, 2, 1, 'riscv64'],
  [8, 2, 1, 'mips64le'],
];

function judgeProgram(program: ProgramReader, archive: string): Pick<FlannelArchive, 'tag' | 'machine' | 'problems'> {
  const named = parseArchiveName(archive);
  const { head } = program;
  if (head.subarray(0, 2).toString('latin1') === '#!') {
    const problem: Problem = {
      code: 'archive-script',
      severity: 'warning',
      path: 'flanneld',
      message: `flanneld in ${archive} is a script: for which machine it is cannot be checked`,
      suggestion: null,
    };
    return { tag: named?.tag ?? null, machine: null, problems: [problem] };
  }
  const machine = machineOfElf(head);
  if (machine === undefined) {
    throw new InvalidInput({
      code: 'archive-not-a-program',
      message: `flanneld in ${archive} is not a Linux program for a machine that flannel is released for`,
      next: [`tar -xzOf ${archive} flanneld | file -`],
    });
  }
  if (named !== undefined && named.machine !== machine) {
    throw new InvalidInput({
      code: 'archive-wrong-machine',
      message: `${archive} is named for ${namesOf[named.machine].archive}, but flanneld in it is built for ${namesOf[machine].archive}`,
      next: [`tar -xzOf ${archive} flanneld | file -`],
    });
  }
  if (named !== undefined && program.tag !== null && program.tag !== named.tag) {
    throw new InvalidInput({
      code: 'archive-wrong-version',
      message: `${archive} is named ${named.tag}, but flanneld in it says ${program.tag}: its flags would be chosen by the wrong release`,
      next: [`mv ${archive} ${archiveName(program.tag, machine)}`],
    });
  }
  return { tag: program.tag ?? named?.tag ?? null, machine, problems: [] };
}

/** The machine by an ELF header (its first 20 bytes); undefined for what is no Linux program for one of ours. */
export function machineOfElf(head: Uint8Array): Machine | undefined {
  const bytes = Buffer.from(head);
  if (bytes.length < 20 || bytes.subarray(0, 4).toString('latin1') !== '\x7fELF') return undefined;
  const [bits, order] = [bytes[4], bytes[5]];
  const read = (offset: number): number => (order === 2 ? bytes.readUInt16BE(offset) : bytes.readUInt16LE(offset));
  // A program, fixed or position-independent; not an object file or a core dump.
  if (read(16) !== 2 && read(16) !== 3) return undefined;
  return elfMachines.find((known) => known[0] === read(18) && known[1] === bits && known[2] === order)?.[3];
}
