import { open } from 'node:fs/promises';
import { parseLeaseReport, type ReadReport } from '../check/lease-report';
import { InvalidInput } from '../errors';

/** 65,536 leases with their evidence take some 80 MB. */
const largestBytes = 128 * 1024 * 1024;

/** @throws InvalidInput `input-unreadable`, `input-too-large`, `bad-report` */
export async function readReports(files: readonly string[]): Promise<readonly ReadReport[]> {
  const reports: ReadReport[] = [];
  for (const file of files) reports.push(parseLeaseReport(await textOf(file), file));
  return reports;
}

async function textOf(file: string): Promise<string> {
  try {
    const handle = await open(file, 'r');
    try {
      const about = await handle.stat();
      // The size of a pipe or a device is not known beforehand.
      if (!about.isFile()) throw new Error('it is no file');
      if (about.size > largestBytes) {
        throw new InvalidInput({
          code: 'input-too-large',
          message: `${file} has ${about.size} bytes, which is no report of leases`,
        });
      }
      return (await handle.readFile()).toString('utf8');
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof InvalidInput) throw error;
    throw new InvalidInput({
      code: 'input-unreadable',
      message: `${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      next: ['Name a file that netctl subnets check --report FILE has written.'],
      cause: error,
    });
  }
}
