import { hostname, userInfo } from 'node:os';

/** Who is at the keyboard, for a record: `user@host`. Containers may run with a uid that has no name. */
export function whoAmI(): string {
  try {
    return `${userInfo().username}@${hostname()}`;
  } catch {
    return `uid ${process.getuid?.() ?? '?'}@${hostname()}`;
  }
}
