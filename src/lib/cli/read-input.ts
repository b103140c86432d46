import { open } from 'node:fs/promises';
import { InvalidInput } from '../errors';

interface Limit {
  readonly mebibytes: number;
  /** What no larger input can be. */
  readonly what: string;
}

/** etcd takes requests up to 1.5 MiB by default; no network config comes near. */
const largestConfig: Limit = { mebibytes: 1, what: 'network config' };
/** 65,536 leases and their times make some 15. */
export const largestBackup: Limit = { mebibytes: 256, what: 'backup' };

async function collect(stream: AsyncIterable<unknown>, name: string, { mebibytes, what }: Limit): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let total = 0;
  for await (const chunk of stream) {
    const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
    total += bytes.length;
    if (total > mebibytes * 1024 * 1024) {
      throw new InvalidInput({
        code: 'input-too-large',
        message: `${name} is larger than ${mebibytes} MiB, which is no ${what}`,
      });
    }
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a directory',
  EACCES: 'you have no right to read it',
};

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error ? String(error.code) : '';
  return reasons[code] ?? error.message;
}

/** The bytes of a file, or of stdin for `-`. @throws InvalidInput `input-unreadable`, `input-too-large` */
export async function readInput(file: string, limit = largestConfig): Promise<Buffer> {
  if (file === '-') return collect(process.stdin, 'standard input', limit);
  try {
    const handle = await open(file, 'r');
    return await collect(handle.createReadStream(), file, limit);
  } catch (error) {
    if (error instanceof InvalidInput) throw error;
    throw new InvalidInput({
      code: 'input-unreadable',
      message: `${file} cannot be read: ${reasonOf(error)}`,
      next: ['Name a file, or - for standard input.'],
      cause: error,
    });
  }
}
