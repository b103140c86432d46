import { createHash, createHmac, randomBytes } from 'node:crypto';

/** One key of a known_hosts file; sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT". */
export interface KnownHost {
  readonly marker?: 'revoked' | 'cert-authority';
  /** As in the file: patterns with commas between them, or one hashed name. */
  readonly hosts: string;
  /** Such as `ssh-ed25519`. */
  readonly type: string;
  /** The key as it goes over the wire. */
  readonly key: Uint8Array;
  readonly file: string;
  readonly line: number;
}

/** Lines that OpenSSH would not take either (comments, SSH 1, damaged base64, a type that is not the key's own) are left out. */
export function parseKnownHosts(text: string, file: string): readonly KnownHost[] {
  return text.split('\n').flatMap((content, index) => {
    const words = content.trim().split(/\s+/);
    const marker = markerOf(words[0] ?? '');
    if (marker === 'unknown') return [];
    const [hosts, type, base64] = marker === undefined ? words : words.slice(1);
    if (hosts === undefined || hosts.startsWith('#') || type === undefined || base64 === undefined) return [];
    const key = Buffer.from(base64, 'base64');
    if (keyTypeOf(key) !== type) return [];
    return [{ ...(marker && { marker }), hosts, type, key, file, line: index + 1 }];
  });
}

function markerOf(word: string): KnownHost['marker'] | 'unknown' {
  if (!word.startsWith('@')) return undefined;
  if (word === '@revoked') return 'revoked';
  return word === '@cert-authority' ? 'cert-authority' : 'unknown';
}

/** The type that stands at the beginning of a key's own bytes, empty when there is none. */
export function keyTypeOf(key: Uint8Array): string {
  if (key.length < 4) return '';
  const length = new DataView(key.buffer, key.byteOffset).getUint32(0);
  return length > 64 || key.length < 4 + length ? '' : Buffer.from(key.subarray(4, 4 + length)).toString('latin1');
}

/** A host's name as known_hosts files have it: with the port only when it is not 22. */
export function knownName(hostName: string, port: number): string {
  const name = hostName.toLowerCase();
  return port === 22 ? name : `[${name}]:${port}`;
}

/** Whether a line speaks of the host; `name` comes from `knownName`. */
export function isAbout(known: Pick<KnownHost, 'hosts'>, name: string): boolean {
  if (known.hosts.startsWith('|')) {
    const [, version, salt, hash] = known.hosts.split('|');
    if (version !== '1' || salt === undefined || hash === undefined) return false;
    return createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest('base64') === hash;
  }
  const patterns = known.hosts.toLowerCase().split(',');
  const matches = (pattern: string) => matchesGlob(pattern, name);
  // A negated pattern that matches rules the whole line out, wherever it stands.
  return (
    !patterns.some((pattern) => pattern.startsWith('!') && matches(pattern.slice(1))) &&
    patterns.some((pattern) => !pattern.startsWith('!') && matches(pattern))
  );
}

/** `*` and `?` as in ssh_config(5), "PATTERNS"; in time that grows with the product of the lengths, whatever the pattern. */
export function matchesGlob(pattern: string, text: string): boolean {
  let at = 0;
  let index = 0;
  let star = -1;
  let resumeAt = 0;
  while (index < text.length) {
    const character = pattern[at];
    if (character === '*') {
      star = at;
      resumeAt = index;
      at += 1;
    } else if (character !== undefined && (character === '?' || character === text[index])) {
      at += 1;
      index += 1;
    } else if (star >= 0) {
      resumeAt += 1;
      index = resumeAt;
      at = star + 1;
    } else {
      return false;
    }
  }
  return /^\**$/.test(pattern.slice(at));
}

/** What the files say of a key that a host shows. */
export type KeyVerdict =
  | { readonly kind: 'known' | 'revoked'; readonly entry: KnownHost }
  /** `isCertified`: a certificate authority is named for the host, whose certificates we cannot read. */
  | { readonly kind: 'unknown'; readonly isCertified: boolean }
  /** Other keys are known; perhaps none of this type, which OpenSSH takes for a change too. */
  | { readonly kind: 'changed'; readonly entries: readonly [KnownHost, ...KnownHost[]] };

export function judgeHostKey(lines: readonly KnownHost[], name: string, key: Uint8Array): KeyVerdict {
  const about = lines.filter((line) => isAbout(line, name));
  const same = about.filter((line) => Buffer.compare(line.key, key) === 0);
  const revoked = same.find(({ marker }) => marker === 'revoked');
  if (revoked !== undefined) return { kind: 'revoked', entry: revoked };
  const known = same.find(({ marker }) => marker === undefined);
  if (known !== undefined) return { kind: 'known', entry: known };
  const others = about.filter(({ marker }) => marker === undefined);
  // The old key of the same type first: it is the one that changed.
  const type = keyTypeOf(key);
  const [first, ...rest] = [
    ...others.filter((line) => line.type === type),
    ...others.filter((line) => line.type !== type),
  ];
  if (first !== undefined) return { kind: 'changed', entries: [first, ...rest] };
  return { kind: 'unknown', isCertified: about.some(({ marker }) => marker === 'cert-authority') };
}

/** The types of the keys that are known for a host: what to ask it for first, else it shows one that looks unknown. */
export function knownKeyTypes(lines: readonly KnownHost[], name: string): ReadonlySet<string> {
  return new Set(lines.filter((line) => line.marker === undefined && isAbout(line, name)).map((line) => line.type));
}

/** As OpenSSH prints it: `SHA256:` and base64 without padding. */
export function fingerprint(key: Uint8Array): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/** A word for people: ED25519, ECDSA, RSA. */
export function keyTypeName(type: string): string {
  const [, name] = /^(?:sk-)?(?:ssh-)?(ed25519|rsa|dss|ecdsa)/.exec(type) ?? [];
  return name === 'dss' ? 'DSA' : (name?.toUpperCase() ?? type);
}

/** A line for a known_hosts file, without its end. */
export function knownHostLine(name: string, key: Uint8Array, isHashed: boolean): string {
  return `${isHashed ? hashedName(name) : name} ${keyTypeOf(key)} ${Buffer.from(key).toString('base64')}`;
}

function hashedName(name: string): string {
  const salt = randomBytes(20);
  return `|1|${salt.toString('base64')}|${createHmac('sha1', salt).update(name).digest('base64')}`;
}
