import { countOf } from './address';
import { answerText, whyFailed } from './answer-text';
import { type Fact, known, shellCommand } from './fact';

export interface Privileges {
  readonly uid: number;
  readonly user: string;
  readonly isRoot: boolean;
  /** Of a user who is not root: `no-password` may become root at once, `asks` needs a password or is not allowed, `absent` has no sudo. */
  readonly sudo: 'not-needed' | 'no-password' | 'asks' | 'absent';
}

export const privileges: Fact<Privileges> = {
  name: 'privileges',
  command: shellCommand(`id -u; id -un
[ "$(id -u)" = 0 ] && exit
command -v sudo >/dev/null || { echo absent; exit; }
if sudo -k -n true 2>/dev/null; then echo no-password; else echo asks; fi`),
  requires: { root: 'none', programs: [] },
  parse(output) {
    const [uidText, user = '', sudo] = answerText(output.stdout).split('\n');
    const uid = countOf(uidText);
    if (uid === undefined || !/^[\w.@+$-]{1,255}$/.test(user)) return whyFailed('id', output);
    return known({
      uid,
      user,
      isRoot: uid === 0,
      sudo: uid === 0 ? 'not-needed' : sudo === 'no-password' || sudo === 'asks' ? sudo : 'absent',
    });
  },
};
