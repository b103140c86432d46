import { readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { labFolder } from './base';
import { LabError } from './lab-error';
import { type Shape, shapeSchema } from './shape';

/** The folder that holds everything a lab has on disk. */
export function folderOf(id: string): string {
  return join(labFolder(), 'labs', id);
}

/** Everything that one host has on disk: its overlay (`root`), Docker's data, its scripts and console. */
export function hostFolder(shape: Pick<Shape, 'folder'>, host: string): string {
  return join(shape.folder, 'hosts', host);
}

export async function readShape(id: string): Promise<Shape> {
  const file = join(folderOf(id), 'lab.json');
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) throw new LabError(`${id}: no such lab is up; start it with test/lab/lab up --lab ${id}`);
  return shapeSchema.parse(JSON.parse(text));
}

export async function writeShape(shape: Shape): Promise<void> {
  const file = join(shape.folder, 'lab.json');
  await writeFile(`${file}.new`, `${JSON.stringify(shape, null, 2)}\n`);
  await rename(`${file}.new`, file);
}

/** The ids of the labs that have a folder, whole or not. */
export async function labIds(): Promise<readonly string[]> {
  const entries = await readdir(join(labFolder(), 'labs'), { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}
