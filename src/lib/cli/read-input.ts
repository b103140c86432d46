import { open } from 'node:fs/promises';
import { InvalidInput } from '../errors';

/** etcd takes requests up to 1.5 MiB by default; no network config comes near. */
const maximumBytes = 1024 * 1024;

async function collect(stream: AsyncIterable<unknown>, name: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let total = 0;
  for await (const chunk of stream) {
    const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
    total += bytes.length;
    if (total > maximumBytes) {
      throw new InvalidInput({
        code: 'input-too-large',
        message: `${name} is larger than 1 MiB, which is no network config`,
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
export async function readInput(file: string): Promise<Buffer> {
  if (file === '-') return collect(process.stdin, 'standard input');
  try {
    const handle = await open(file, 'r');
    return await collect(handle.createReadStream(), file);
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
