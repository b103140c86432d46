import { createHash } from 'node:crypto';
import type { Known } from '../fact/fact';
import type { FileContent, FileFact } from '../fact/files';
import { type CertificateFacts, checkCertificates, type PemFile } from '../net/certificate-check';
import type { Problem } from '../net/problem';

export type CertificateRole = 'ca' | 'client';

/** What netctl would push to every node. Never a key. */
export interface PushedCertificates {
  readonly ca?: PemFile;
  readonly cert?: PemFile;
}

/** A file of certificates, on a node or on the workstation. */
export interface CertificateFile {
  readonly role: CertificateRole;
  readonly path: string;
  /** Null when that could not be found out: `why`. */
  readonly isThere: boolean | null;
  readonly why: string | null;
  /** Null when it could not be read, and when netctl would push none. */
  readonly isAsPushed: boolean | null;
  readonly sha256: string | null;
  /** In the order of the file. */
  readonly certificates: readonly CertificateFacts[];
}

/** The certificates in one place. */
export interface PlaceCertificates {
  readonly files: readonly CertificateFile[];
  /** `path` is `ca` or `cert`; the messages name the file. */
  readonly problems: readonly Problem[];
}

export interface CertificateAge {
  readonly now: Date;
  readonly warnDays: number;
}

/** The files on the workstation. */
export function pushedPlace(pushed: PushedCertificates, age: CertificateAge): PlaceCertificates {
  return judged(pushed, [], age, () => true);
}

/**
 * The files of one node.
 * @param files as `fileContents` gives them, for the two paths
 */
export function nodePlace(
  paths: Readonly<Record<CertificateRole, string>>,
  files: Known<ReadonlyMap<string, FileFact<FileContent>>>,
  pushed: PushedCertificates,
  age: CertificateAge,
): PlaceCertificates {
  const found: { ca?: PemFile; cert?: PemFile } = {};
  const others: CertificateFile[] = [];
  const problems: Problem[] = [];
  for (const role of ['ca', 'client'] as const) {
    const path = paths[role];
    const wanted = role === 'ca' ? pushed.ca : pushed.cert;
    const file = files.known ? files.value.get(path) : files;
    const base = { role, path, isAsPushed: null, sha256: null, certificates: [] };
    if (file?.known !== true) {
      const why = file?.why ?? 'the node did not tell of it';
      others.push({ ...base, isThere: null, why });
      problems.push(unknownFile(role, path, why));
    } else if (!file.value.present) {
      // Without TLS to etcd nothing is missing.
      if (wanted === undefined) continue;
      others.push({ ...base, isThere: false, why: null, isAsPushed: false });
      problems.push(missingFile(role, path, wanted));
    } else {
      const { bytes } = file.value;
      if (bytes === null) {
        others.push({ ...base, isThere: null, why: 'it is no file' });
        problems.push(unknownFile(role, path, 'it is no file'));
      } else found[role === 'ca' ? 'ca' : 'cert'] = { path, bytes };
    }
  }
  const place = judged(found, others, age, (file, role) => {
    const wanted = role === 'ca' ? pushed.ca : pushed.cert;
    return wanted === undefined ? null : sumOf(wanted.bytes) === sumOf(file.bytes);
  });
  for (const { role, path, isThere, isAsPushed } of place.files) {
    if (isThere === true && isAsPushed === false) problems.push(otherFile(role, path));
  }
  return { files: place.files, problems: [...place.problems, ...problems] };
}

function judged(
  found: PushedCertificates,
  others: readonly CertificateFile[],
  age: CertificateAge,
  isAsPushed: (file: PemFile, role: CertificateRole) => boolean | null,
): PlaceCertificates {
  const verdict = checkCertificates(found, age);
  const files = [...others];
  for (const [role, file, certificates] of [
    ['ca', found.ca, verdict.ca],
    ['client', found.cert, verdict.cert],
  ] as const) {
    if (file === undefined) continue;
    const { path, bytes } = file;
    const sha256 = sumOf(bytes);
    files.push({ role, path, isThere: true, why: null, isAsPushed: isAsPushed(file, role), sha256, certificates });
  }
  return { files: files.sort((a, b) => (a.role < b.role ? -1 : a.role > b.role ? 1 : 0)), problems: verdict.problems };
}

function sumOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** As `checkCertificates` has it. */
function placeOf(role: CertificateRole): string {
  return role === 'ca' ? 'ca' : 'cert';
}

function unknownFile(role: CertificateRole, path: string, why: string): Problem {
  return {
    code: 'certificate-unknown',
    severity: 'warning',
    path: placeOf(role),
    message: `whether ${path} is good is not known: ${why}`,
    suggestion: 'Certificates are for root alone: ssh.sudo in the inventory lets netctl read them',
  };
}

function missingFile(role: CertificateRole, path: string, wanted: PemFile): Problem {
  return {
    code: 'certificate-missing',
    severity: 'warning',
    path: placeOf(role),
    message: `${path} is not there; netctl would push ${wanted.path}`,
    suggestion: 'netctl node bootstrap',
  };
}

function otherFile(role: CertificateRole, path: string): Problem {
  return {
    code: 'certificate-not-pushed',
    severity: 'info',
    path: placeOf(role),
    message: `${path} is another one than netctl would push`,
    suggestion: 'netctl node bootstrap replaces it and restarts flanneld',
  };
}
