import { answerText } from './answer-text';
import { type Fact, known, nothingElse, shellCommand } from './fact';

/** `off`: no SELinux in this kernel, or switched off at boot. */
export type Selinux = 'enforcing' | 'permissive' | 'off';

export const selinux: Fact<Selinux> = {
  name: 'selinux',
  command: shellCommand('cat /sys/fs/selinux/enforce 2>/dev/null; :'),
  requires: nothingElse,
  parse(output) {
    const text = answerText(output.stdout).trim();
    return known(text === '1' ? 'enforcing' : text === '0' ? 'permissive' : 'off');
  },
};
