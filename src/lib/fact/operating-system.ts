import { readShellAssignments } from '../net/shell-assignments';
import { answerText } from './answer-text';
import { type Fact, known, nothingElse, shellCommand, unknown } from './fact';

export interface OperatingSystem {
  /** `debian`, `ubuntu`, `centos`, … */
  readonly id: string;
  readonly versionId: string | null;
  /** For people: `Debian GNU/Linux 12 (bookworm)`. */
  readonly name: string;
  readonly family: 'debian' | 'rhel' | 'other';
  /** Where environment files of services are kept here; null when neither folder is there. */
  readonly environmentFolder: '/etc/default' | '/etc/sysconfig' | null;
}

const rhelIds = new Set([
  'rhel',
  'centos',
  'fedora',
  'rocky',
  'almalinux',
  'ol',
  'amzn',
  'anolis',
  'openEuler',
  'kylin',
]);

export const operatingSystem: Fact<OperatingSystem> = {
  name: 'operating-system',
  command: shellCommand(
    `for d in default sysconfig; do [ -d "/etc/$d" ] && printf '%s ' "/etc/$d"; done; echo
cat /etc/os-release 2>/dev/null || cat /usr/lib/os-release`,
  ),
  requires: nothingElse,
  parse(output) {
    const text = answerText(output.stdout);
    const end = text.indexOf('\n');
    const folders = text.slice(0, Math.max(end, 0)).trim().split(' ');
    // What a shell would have to work out ends the reading; what stands before is still true.
    const { assignments } = readShellAssignments(text.slice(end + 1));
    const fields = new Map(assignments.map(({ name, value }) => [name, value]));
    const id = fields.get('ID');
    if (id === undefined || !/^[\w.-]{1,64}$/.test(id)) return unknown('/etc/os-release names no ID');
    const alike = [id, ...(fields.get('ID_LIKE') ?? '').split(/\s+/)];
    const family = alike.some((word) => word === 'debian' || word === 'ubuntu')
      ? 'debian'
      : alike.some((word) => rhelIds.has(word))
        ? 'rhel'
        : 'other';
    const versionId = fields.get('VERSION_ID');
    const preferred = family === 'rhel' ? '/etc/sysconfig' : '/etc/default';
    const other = family === 'rhel' ? '/etc/default' : '/etc/sysconfig';
    return known({
      id,
      versionId: versionId !== undefined && /^[\w.+~-]{1,64}$/.test(versionId) ? versionId : null,
      name: (fields.get('PRETTY_NAME') ?? id).slice(0, 100),
      family,
      environmentFolder: folders.includes(preferred) ? preferred : folders.includes(other) ? other : null,
    });
  },
};
