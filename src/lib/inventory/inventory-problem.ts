import type { Problem } from '../net/problem';

/** Something wrong with a `netctl.yaml`, and where in the file. */
export interface InventoryProblem extends Problem {
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units. */
  readonly column: number;
}

/** `netctl.yaml:12:5 nodes[2].subnet: what is wrong; the corrected form`. */
export function formatInventoryProblem(file: string, problem: InventoryProblem): string {
  const where = `${file}:${problem.line}:${problem.column}`;
  const what = problem.path === '' ? problem.message : `${problem.path}: ${problem.message}`;
  return problem.suggestion === null ? `${where} ${what}` : `${where} ${what}; try ${problem.suggestion}`;
}
