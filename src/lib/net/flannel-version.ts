import { InvalidInput } from '../errors';

export interface FlannelVersion {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
  /** As flannel names its releases, with the `v` and a suffix if there is one: `v0.22.3`, `v0.8.0-rc1`. */
  readonly tag: string;
}

/** The newest release whose behaviour was read; a newer one is judged by it. */
export const newestFlannel: FlannelVersion = { major: 0, minor: 28, patch: 9, tag: 'v0.28.9' };

/** The oldest release whose behaviour is known: the single-network daemon of today begins with it. */
export const oldestFlannel: FlannelVersion = { major: 0, minor: 8, patch: 0, tag: 'v0.8.0' };

/** Compares by number only: `v0.20.1-k3s1.23` equals `v0.20.1`. Negative when `a` is older. */
export function compareFlannel(a: FlannelVersion, b: FlannelVersion): number {
  return a.major - b.major || a.minor - b.minor || a.patch - b.patch;
}

/**
 * @param text `0.22.3`, `v0.22.3`; a suffix such as `-rc1`, `-k3s1.23`, `+build` or `-amd64` is kept in the tag and
 *   judged as the release of that number
 * @throws InvalidInput `bad-flannel-version` for another form, `unknown-flannel-version` before v0.8.0
 */
export function parseFlannelVersion(text: string): FlannelVersion {
  const match = /^v?(0|[1-9]\d{0,3})\.(0|[1-9]\d{0,3})\.(0|[1-9]\d{0,3})([-+][0-9A-Za-z.+-]{1,64})?$/.exec(text.trim());
  if (match === null) {
    throw new InvalidInput({
      code: 'bad-flannel-version',
      message: `flannel version ${JSON.stringify(text)} is not a release; write it as MAJOR.MINOR.PATCH, with or without a v`,
      next: [newestFlannel.tag, '0.11.0'],
    });
  }
  const [, major, minor, patch, suffix] = match;
  const version: FlannelVersion = {
    major: Number(major),
    minor: Number(minor),
    patch: Number(patch),
    tag: `v${major}.${minor}.${patch}${suffix ?? ''}`,
  };
  if (compareFlannel(version, oldestFlannel) < 0) {
    throw new InvalidInput({
      code: 'unknown-flannel-version',
      message: `flannel ${version.tag} is not known to netctl: releases before ${oldestFlannel.tag} were another daemon (multi-network, client and server)`,
      next: [oldestFlannel.tag, newestFlannel.tag],
    });
  }
  return version;
}

/** Is this release `tag` or later? `tag` is written in our own code, such as `'v0.18.0'`. */
export function isAtLeast(version: FlannelVersion, tag: string): boolean {
  const match = /^v(\d+)\.(\d+)\.(\d+)$/.exec(tag);
  if (match === null) throw new Error(`not a release tag: ${tag}`);
  const other = { major: Number(match[1]), minor: Number(match[2]), patch: Number(match[3]), tag };
  return compareFlannel(version, other) >= 0;
}

/** Which of etcd's two disjoint stores this release reads. v0.18.0 changed from v2 to v3 and migrated nothing. */
export function etcdApiOf(version: FlannelVersion): 'v2' | 'v3' {
  return isAtLeast(version, 'v0.18.0') ? 'v3' : 'v2';
}

/** The release by whose rules `version` is judged: itself, or the newest known for one that came later. */
export function judgedAs(version: FlannelVersion): { readonly version: FlannelVersion; readonly note: string | null } {
  if (compareFlannel(version, newestFlannel) <= 0) return { version, note: null };
  return {
    version: newestFlannel,
    note: `flannel ${version.tag} is newer than netctl knows; it is judged like ${newestFlannel.tag}`,
  };
}
