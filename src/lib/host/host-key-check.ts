import { Unreachable } from '../errors';
import { fingerprint, judgeHostKey, type KnownHost, keyTypeName, keyTypeOf } from './known-hosts';
import { addKnownHost } from './known-hosts-file';
import { shellText } from './quote';
import { describeTarget, type SshTarget } from './ssh-target';

export interface HostKeyQuestion {
  readonly target: SshTarget;
  /** As known_hosts files have it. */
  readonly name: string;
  readonly known: readonly KnownHost[];
}

/**
 * Whether the host may be talked to. A new key is recorded when the policy says so.
 * @throws Unreachable `host-key-unknown`, `host-key-changed`, `host-key-revoked` · InvalidInput `known-hosts-unwritable`
 */
export async function checkHostKey({ target, name, known }: HostKeyQuestion, key: Uint8Array): Promise<void> {
  const verdict = judgeHostKey(known, name, key);
  switch (verdict.kind) {
    case 'known':
      return;
    case 'revoked':
      throw new Unreachable({
        code: 'host-key-revoked',
        message: `${target.name}: ${describeTarget(target)} shows a host key that is revoked: ${describeKey(key)}`,
        details: [`Revoked in ${verdict.entry.file}:${verdict.entry.line}`],
        next: ['Do not log in: somebody may have stolen this key. Ask who revoked it.'],
      });
    case 'changed':
      throw changed(target, name, key, verdict.entries);
    case 'unknown':
      return unknown(target, name, key, verdict.isCertified);
    default:
      return verdict satisfies never;
  }
}

function changed(
  target: SshTarget,
  name: string,
  key: Uint8Array,
  entries: readonly [KnownHost, ...KnownHost[]],
): Unreachable {
  const [first] = entries;
  const isOtherType = first.type !== keyTypeOf(key);
  const removals = new Set(entries.map(({ file }) => shellText(['ssh-keygen', '-f', file, '-R', name])));
  return new Unreachable({
    code: 'host-key-changed',
    message: isOtherType
      ? `${target.name}: the host key of ${describeTarget(target)} has changed: it is known by other keys, none of which it shows`
      : `${target.name}: the host key of ${describeTarget(target)} has changed. Somebody may be in between, or it was installed anew`,
    details: [
      `Shown now: ${describeKey(key)}`,
      ...entries.map((entry) => `Known: ${describeKey(entry.key)}, ${entry.file}:${entry.line}`),
    ],
    next: [
      `Compare with what its console says: ssh-keygen -lf ${consoleFile(key)}`,
      `Only if that is the key shown now, forget the old one: ${[...removals].join('; ')}`,
    ],
  });
}

async function unknown(target: SshTarget, name: string, key: Uint8Array, isCertified: boolean): Promise<void> {
  switch (target.hostKey) {
    case 'off':
      return;
    case 'accept-new': {
      const [file] = target.knownHosts.user;
      if (file !== undefined) await addKnownHost(file, name, key, target.hashKnownHosts);
      return;
    }
    case 'strict': {
      const [file = '~/.ssh/known_hosts'] = target.knownHosts.user;
      const line = shellText([`${name} ${keyTypeOf(key)} ${Buffer.from(key).toString('base64')}`]);
      throw new Unreachable({
        code: 'host-key-unknown',
        message: `${target.name}: the host key of ${describeTarget(target)} is not known: ${describeKey(key)}`,
        details: isCertified
          ? [
              'A certificate authority is named for this host (@cert-authority); netctl does not read host certificates.',
            ]
          : [],
        next: [
          `Compare with what its console says: ssh-keygen -lf ${consoleFile(key)}`,
          `If it is the same, add it: echo ${line} >> ${file.startsWith('~') ? file : shellText([file])}`,
          'Or take every new key as it comes: --host-key accept-new',
        ],
      });
    }
    default:
      return target.hostKey satisfies never;
  }
}

function describeKey(key: Uint8Array): string {
  return `${keyTypeName(keyTypeOf(key))} ${fingerprint(key)}`;
}

function consoleFile(key: Uint8Array): string {
  return `/etc/ssh/ssh_host_${keyTypeName(keyTypeOf(key)).toLowerCase()}_key.pub`;
}
