import type * as z from 'zod/mini';

// Taken away, these would make their other half look like a mistake.
const pairedKeys = new Set(['cert', 'key', 'user', 'passwordFile']);

/**
 * Takes out of `value` (in place) what zod found wrong, so that the rest can still be checked and a person sees all
 * problems at once. What would bring forth problems by its absence is replaced instead.
 */
export function salvage(value: unknown, issues: readonly z.core.$ZodIssue[]): void {
  for (const issue of issues) {
    const path = issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step));
    if (issue.code === 'unrecognized_keys') {
      const map = at(value, path);
      if (isMap(map)) for (const key of issue.keys) delete map[key];
      continue;
    }
    // Without the network's true range or length, every subnet of a node would look wrong.
    if (path[0] === 'network' && isMap(value)) delete value['network'];
    takeOut(value, path);
  }
}

function takeOut(root: unknown, path: readonly (string | number)[]): void {
  const last = path.at(-1);
  const parent = at(root, path.slice(0, -1));
  if (last === undefined || parent === undefined) return;
  if (typeof last === 'number') {
    // The places of the others in the list must stay as they are, so all of it goes.
    takeOut(root, path.slice(0, -1));
  } else if (isMap(parent)) {
    if (last === 'name' && path[0] === 'nodes') parent[last] = `unnamed-${String(path[1])}`;
    else if (pairedKeys.has(last) && parent[last] !== undefined) parent[last] = 'x';
    else delete parent[last];
  }
}

function at(root: unknown, path: readonly (string | number)[]): unknown {
  let value = root;
  for (const step of path) {
    if (Array.isArray(value) && typeof step === 'number') value = value[step];
    else if (isMap(value) && typeof step === 'string') value = value[step];
    else return undefined;
  }
  return value;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
