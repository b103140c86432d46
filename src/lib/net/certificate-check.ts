import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import type { Problem } from './problem';

/** A file as it was read. Its bytes are never repeated in a message. */
export interface PemFile {
  /** As the person named it: messages begin with it. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** The three files by which flanneld shows itself to etcd and knows it. */
export interface ClientCertificates {
  readonly ca?: PemFile;
  readonly cert?: PemFile;
  readonly key?: PemFile;
}

/** What a certificate says. All texts are its author's: they are not to be trusted. */
export interface CertificateFacts {
  readonly subject: string;
  readonly issuer: string;
  /** `DNS:…` and `IP Address:…`, as OpenSSL writes them. */
  readonly names: readonly string[];
  readonly serial: string;
  /** ISO 8601 in UTC; null when the date cannot be read. */
  readonly notBefore: string | null;
  readonly notAfter: string | null;
  /** Whole days until it expires, negative after; null when the date cannot be read. */
  readonly daysLeft: number | null;
  readonly isCa: boolean;
  /** May it be shown by a client? Without an extended key usage it may be used for all. */
  readonly isForClients: boolean;
  /** Such as `RSA 2048` or `EC prime256v1`. */
  readonly key: string;
  readonly sha256: string;
}

export interface CertificateVerdict {
  readonly problems: readonly Problem[];
  /** The certificates of the files, in their order; empty for one that cannot be read. */
  readonly ca: readonly CertificateFacts[];
  readonly cert: readonly CertificateFacts[];
}

export interface CertificateCheckOptions {
  readonly now: Date;
  /** From how many days before its end a certificate is reported. */
  readonly warnDays: number;
}

/** Larger files are no certificates; etcd and flannel would take them, but nobody means them. */
const maximumPemBytes = 1024 * 1024;
const dayMs = 86_400_000;

type Role = keyof ClientCertificates;

const roleWords: Readonly<Record<Role, string>> = { ca: 'CA', cert: 'client certificate', key: 'private key' };

/**
 * Judges the files as Go would (flanneld and etcd are Go programs): what one of them refuses, or what would run out soon.
 * `path` of a problem is `ca`, `cert` or `key`. Never throws for what stands in a file, and never repeats a key.
 */
export function checkCertificates(files: ClientCertificates, options: CertificateCheckOptions): CertificateVerdict {
  const problems: Problem[] = [];
  const ca = files.ca === undefined ? undefined : readCertificates('ca', files.ca, problems);
  const cert = files.cert === undefined ? undefined : readCertificates('cert', files.cert, problems);
  const key = files.key === undefined ? undefined : readKey(files.key, problems);
  const leaf = cert?.[0];
  const roots = ca ?? [];
  if (isSwapped(roots[0], leaf)) {
    problems.push({
      code: 'certificate-swapped',
      severity: 'error',
      path: 'ca',
      message: `${files.ca?.path} holds a client certificate and ${files.cert?.path} a CA: they stand in each other's place`,
      suggestion: `ca: ${files.cert?.path}, cert: ${files.ca?.path}`,
    });
  } else {
    if (files.ca !== undefined) for (const certificate of roots) checkCa(certificate, files.ca, problems);
    if (leaf !== undefined && files.cert !== undefined) {
      checkClientUse(leaf, files.cert, problems);
      if (files.ca !== undefined && roots.length > 0) {
        checkChain(leaf, cert?.slice(1) ?? [], roots, files.cert, files.ca, problems);
      }
    }
  }
  if (leaf !== undefined && key !== undefined && files.cert !== undefined && files.key !== undefined) {
    if (!leaf.checkPrivateKey(key)) problems.push(keyMismatch(files.cert, files.key));
  }
  for (const [role, certificates, file] of [
    ['ca', roots, files.ca],
    ['cert', cert ?? [], files.cert],
  ] as const) {
    if (file === undefined) continue;
    for (const certificate of certificates) {
      checkDates(certificate, role, file, options, problems);
      checkStrength(certificate, role, file, problems);
    }
  }
  const facts = (certificates: readonly X509Certificate[]): readonly CertificateFacts[] =>
    certificates.map((certificate) => factsOf(certificate, options.now));
  return { problems, ca: facts(roots), cert: facts(cert ?? []) };
}

/** Facts of every certificate in a PEM text, in order; what cannot be read is left out. For `netctl certs check`. */
export function certificateFacts(pem: Uint8Array, now: Date): readonly CertificateFacts[] {
  return pemBlocks(pem).flatMap((block) => {
    const certificate = block.type === 'CERTIFICATE' ? certificateOf(block.text) : undefined;
    return certificate === undefined ? [] : [factsOf(certificate, now)];
  });
}

interface PemBlock {
  /** What stands behind BEGIN: `CERTIFICATE`, `RSA PRIVATE KEY`. */
  readonly type: string;
  readonly hasHeaders: boolean;
  readonly text: string;
}

/** PEM blocks as Go finds them: BEGIN at the start of a line, text between blocks is skipped. */
function pemBlocks(bytes: Uint8Array): readonly PemBlock[] {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, maximumPemBytes)).toString(
    'latin1',
  );
  const pattern = /^-----BEGIN ([A-Z0-9 ]{1,64})-----[ \t]*\r?\n((?:[^-]|-(?!----))*)-----END \1-----[ \t]*(?:\r?$)/gm;
  return Array.from(text.matchAll(pattern), ([block, type = '', body = '']) => ({
    type,
    hasHeaders: body.includes(':'),
    text: block,
  }));
}

function certificateOf(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

function readCertificates(
  role: 'ca' | 'cert',
  file: PemFile,
  problems: Problem[],
): readonly X509Certificate[] | undefined {
  const what = roleWords[role];
  const unreadable = (reason: string, suggestion: string): undefined => {
    problems.push({
      code: 'certificate-unreadable',
      severity: 'error',
      path: role,
      message: `${file.path} ${reason}`,
      suggestion,
    });
    return undefined;
  };
  if (file.bytes.byteLength > maximumPemBytes) return unreadable(`is too large to be a ${what}`, `ls -l ${file.path}`);
  const blocks = pemBlocks(file.bytes);
  const keys = blocks.filter(({ type }) => type.endsWith('PRIVATE KEY'));
  const certificates = blocks.filter(({ type, hasHeaders }) => type === 'CERTIFICATE' && !hasHeaders);
  if (keys.length > 0) {
    problems.push({
      code: 'certificate-holds-key',
      severity: 'error',
      path: role,
      message:
        certificates.length === 0
          ? `${file.path} holds a private key where a ${what} belongs`
          : `${file.path} holds a private key beside the ${what}: it would be copied to every node`,
      suggestion:
        certificates.length === 0 ? `Give the ${what}` : `openssl x509 -in ${file.path} -out ${file.path}.pem`,
    });
    if (certificates.length === 0) return undefined;
  }
  if (certificates.length === 0) return unreadable(...whyNone(file, blocks, what));
  const read = certificates.map(({ text }) => certificateOf(text));
  const damaged = read.indexOf(undefined);
  if (damaged >= 0) {
    return unreadable(
      `holds a damaged certificate (number ${damaged + 1})`,
      `openssl x509 -noout -text -in ${file.path}`,
    );
  }
  const unused = blocks.filter(
    ({ type, hasHeaders }) => !(type === 'CERTIFICATE' && !hasHeaders) && !type.endsWith('PRIVATE KEY'),
  );
  if (unused.length > 0) {
    problems.push({
      code: 'certificate-extra-blocks',
      severity: 'warning',
      path: role,
      message: `${file.path} also holds ${unused.map(({ type }) => type).join(', ')}, which flanneld skips`,
      suggestion: `openssl x509 -in ${file.path} -out ${file.path}.pem`,
    });
  }
  return read.flatMap((certificate) => certificate ?? []);
}

function whyNone(file: PemFile, blocks: readonly PemBlock[], what: string): readonly [reason: string, next: string] {
  const types = new Set(blocks.map(({ type }) => type));
  if (types.has('CERTIFICATE REQUEST') || types.has('NEW CERTIFICATE REQUEST')) {
    return ['holds a request, which nobody has signed yet', 'Give the certificate that the CA made of it'];
  }
  if (types.has('TRUSTED CERTIFICATE') || types.has('X509 CERTIFICATE')) {
    return [
      `holds OpenSSL's own form of a certificate, which flanneld skips`,
      `openssl x509 -in ${file.path} -out ${file.path}.pem`,
    ];
  }
  if (types.has('CERTIFICATE'))
    return [
      'holds a certificate with PEM headers, which flanneld skips',
      `openssl x509 -in ${file.path} -out ${file.path}.pem`,
    ];
  if (certificateOfDer(file.bytes) !== undefined) {
    return [
      `is a ${what} in DER form; flanneld reads PEM`,
      `openssl x509 -inform DER -in ${file.path} -out ${file.path}.pem`,
    ];
  }
  if (Buffer.from(file.bytes).includes('-----BEGIN')) {
    return [
      'holds a PEM block that is cut off, or that does not begin at the start of a line',
      `openssl x509 -noout -text -in ${file.path}`,
    ];
  }
  return [`is not a PEM ${what}`, `head -1 ${file.path} should print -----BEGIN CERTIFICATE-----`];
}

function certificateOfDer(bytes: Uint8Array): X509Certificate | undefined {
  // SEQUENCE; anything else would only be tried as PEM again.
  if (bytes[0] !== 0x30) return undefined;
  try {
    return new X509Certificate(bytes);
  } catch {
    return undefined;
  }
}

function readKey(file: PemFile, problems: Problem[]): KeyObject | undefined {
  const fail = (code: string, reason: string, suggestion: string): undefined => {
    problems.push({ code, severity: 'error', path: 'key', message: `${file.path} ${reason}`, suggestion });
    return undefined;
  };
  const blocks = pemBlocks(file.bytes);
  const block = blocks.find(({ type }) => type.endsWith('PRIVATE KEY'));
  if (block === undefined) {
    if (blocks.some(({ type }) => type.endsWith('CERTIFICATE'))) {
      return fail(
        'certificate-key-unreadable',
        'holds a certificate where a private key belongs',
        'Give the private key',
      );
    }
    return fail(
      'certificate-key-unreadable',
      'is not a PEM private key',
      `openssl pkey -in ${file.path} -out ${file.path}.pem`,
    );
  }
  if (block.type.startsWith('ENCRYPTED') || /ENCRYPTED/.test(block.text)) {
    return fail(
      'certificate-key-encrypted',
      'is locked with a passphrase, which flanneld cannot ask for',
      `openssl pkey -in ${file.path} -out unlocked.pem, and chmod 600 unlocked.pem`,
    );
  }
  let key: KeyObject;
  try {
    key = createPrivateKey(block.text);
  } catch {
    // What OpenSSL says about it could repeat parts of the file.
    return fail(
      'certificate-key-unreadable',
      'holds a private key that cannot be read',
      `openssl pkey -noout -check -in ${file.path}`,
    );
  }
  const curve = key.asymmetricKeyDetails?.namedCurve ?? '';
  const isGoKey =
    key.asymmetricKeyType === 'rsa' ||
    key.asymmetricKeyType === 'ed25519' ||
    (key.asymmetricKeyType === 'ec' && ['secp224r1', 'prime256v1', 'secp384r1', 'secp521r1'].includes(curve));
  if (!isGoKey) {
    return fail(
      'certificate-key-unreadable',
      `holds a key that flanneld does not know (${[key.asymmetricKeyType ?? '', curve].join(' ').trim()})`,
      'openssl ecparam -name prime256v1 -genkey -noout -out client-key.pem',
    );
  }
  return key;
}

function keyMismatch(cert: PemFile, key: PemFile): Problem {
  return {
    code: 'certificate-key-mismatch',
    severity: 'error',
    path: 'key',
    message: `${key.path} is not the key of ${cert.path}`,
    suggestion: `openssl x509 -noout -pubkey -in ${cert.path} and openssl pkey -pubout -in ${key.path} must print the same`,
  };
}

function isSwapped(root: X509Certificate | undefined, leaf: X509Certificate | undefined): boolean {
  return root !== undefined && leaf !== undefined && !root.ca && leaf.ca;
}

function checkCa(certificate: X509Certificate, file: PemFile, problems: Problem[]): void {
  if (certificate.ca) return;
  problems.push({
    code: 'certificate-not-ca',
    severity: 'error',
    path: 'ca',
    message: `${file.path} holds a certificate that is no CA: ${nameOf(certificate)}`,
    suggestion: 'Give the certificate of the CA that signed those of etcd (CA:TRUE in openssl x509 -noout -text)',
  });
}

const clientAuth = '1.3.6.1.5.5.7.3.2';
const anyUsage = '2.5.29.37.0';

function isForClients(certificate: X509Certificate): boolean {
  // Node calls the extended key usage keyUsage; undefined when the certificate has none.
  const usages: readonly string[] | undefined = certificate.keyUsage;
  return usages === undefined || usages.includes(clientAuth) || usages.includes(anyUsage);
}

function checkClientUse(leaf: X509Certificate, file: PemFile, problems: Problem[]): void {
  if (isForClients(leaf)) return;
  problems.push({
    code: 'certificate-not-for-clients',
    severity: 'error',
    path: 'cert',
    message: `${file.path} may not be used by a client: its extended key usage lacks clientAuth, so etcd refuses it`,
    suggestion: 'extendedKeyUsage = clientAuth (cfssl: profile with "client auth")',
  });
}

/** Does a chain lead from the client's certificate over those in its file to one of the CA file? */
function checkChain(
  leaf: X509Certificate,
  intermediates: readonly X509Certificate[],
  roots: readonly X509Certificate[],
  file: PemFile,
  caFile: PemFile,
  problems: Problem[],
): void {
  let current = leaf;
  // Each is used once, so that two that signed each other do not go round for ever.
  const left = new Set(intermediates);
  for (;;) {
    if (roots.some((root) => root.fingerprint256 === current.fingerprint256 || isIssuedBy(current, root))) return;
    const next = [...left].find((candidate) => candidate.ca && isIssuedBy(current, candidate));
    if (next === undefined) break;
    left.delete(next);
    current = next;
  }
  const sameName = roots.some((root) => root.subject === current.issuer);
  problems.push({
    code: 'certificate-not-signed-by-ca',
    severity: 'error',
    path: 'cert',
    message: sameName
      ? `${file.path} names the CA of ${caFile.path} as its issuer, but was signed by another key: the CA was made anew`
      : `${file.path} was not signed by the CA in ${caFile.path}: its issuer is ${issuerOf(current)}`,
    suggestion: `openssl verify -CAfile ${caFile.path} -untrusted ${file.path} ${file.path}`,
  });
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
  } catch {
    return false;
  }
}

function checkDates(
  certificate: X509Certificate,
  role: 'ca' | 'cert',
  file: PemFile,
  { now, warnDays }: CertificateCheckOptions,
  problems: Problem[],
): void {
  const from = Date.parse(certificate.validFrom);
  const to = Date.parse(certificate.validTo);
  const what = `${file.path}: ${nameOf(certificate)}`;
  const suggestion =
    role === 'ca'
      ? 'Make a new CA, and certificates signed by it'
      : 'Have a new certificate signed, then: netctl node bootstrap';
  const problem = (code: string, severity: Problem['severity'], said: string, next: string): void => {
    problems.push({ code, severity, path: role, message: `${what} ${said}`, suggestion: next });
  };
  if (Number.isNaN(from) || Number.isNaN(to)) {
    problem(
      'certificate-bad-date',
      'error',
      'has a date that cannot be read',
      `openssl x509 -noout -dates -in ${file.path}`,
    );
    return;
  }
  const days = daysBetween(now, to);
  if (now.getTime() > to) {
    problem('certificate-expired', 'error', `expired on ${dayOf(to)}, ${count(-days - 1)} ago`, suggestion);
  } else if (now.getTime() < from) {
    problem(
      'certificate-not-yet-valid',
      'error',
      `is not valid before ${iso(from)}; it is ${iso(now.getTime())} here`,
      'Check the clocks of the workstation and of the CA',
    );
  } else if (days < warnDays) {
    problem('certificate-expires-soon', 'warning', `expires on ${dayOf(to)}, in ${count(days)}`, suggestion);
  }
}

function count(days: number): string {
  return days === 1 ? '1 day' : `${days} days`;
}

function daysBetween(now: Date, to: number): number {
  return Math.floor((to - now.getTime()) / dayMs);
}

function iso(time: number): string {
  return new Date(time).toISOString().replace('.000Z', 'Z');
}

function dayOf(time: number): string {
  return iso(time).slice(0, 10);
}

/** By OID, because Node 20 does not name the algorithm: MD5 and SHA-1 with RSA, SHA-1 with DSA and ECDSA. */
const weakSignatures: Readonly<Record<string, string>> = {
  '1.2.840.113549.1.1.4': 'MD5',
  '1.2.840.113549.1.1.5': 'SHA-1',
  '1.2.840.10040.4.3': 'SHA-1',
  '1.2.840.10045.4.1': 'SHA-1',
};

function checkStrength(certificate: X509Certificate, role: 'ca' | 'cert', file: PemFile, problems: Problem[]): void {
  const what = `${file.path}: ${nameOf(certificate)}`;
  const suggestion = 'openssl genrsa -out KEY 2048, and a certificate signed with SHA-256';
  const problem = (severity: Problem['severity'], said: string): void => {
    problems.push({ code: 'certificate-weak', severity, path: role, message: `${what} ${said}`, suggestion });
  };
  const bits = keyDetails(certificate)?.modulusLength;
  if (bits !== undefined && bits < 1024) problem('error', `has an RSA key of ${bits} bits, which Go refuses`);
  else if (bits !== undefined && bits < 2048)
    problem('warning', `has an RSA key of ${bits} bits; 2048 are the least today`);
  const hash = weakSignatures[signatureOid(certificate.raw) ?? ''];
  // The signature of a root is its own and proves nothing, so nobody checks it.
  if (hash !== undefined && !isIssuedBy(certificate, certificate)) {
    problem('error', `is signed with ${hash}, which programs built with Go 1.18 or later refuse (flannel from v0.20)`);
  }
}

function keyDetails(certificate: X509Certificate): KeyObject['asymmetricKeyDetails'] {
  try {
    return certificate.publicKey.asymmetricKeyDetails;
  } catch {
    return undefined;
  }
}

/** Certificate ::= SEQUENCE { tbsCertificate SEQUENCE, signatureAlgorithm SEQUENCE { algorithm OID … } … } */
function signatureOid(der: Uint8Array): string | undefined {
  const outer = derElement(der, 0);
  const body = outer === undefined ? undefined : derElement(der, outer.start);
  const algorithm = body === undefined ? undefined : derElement(der, body.end);
  const oid = algorithm === undefined ? undefined : derElement(der, algorithm.start);
  if (oid === undefined || oid.tag !== 6) return undefined;
  const numbers: number[] = [];
  let number = 0;
  for (const byte of der.subarray(oid.start, oid.end)) {
    number = number * 128 + (byte & 0x7f);
    if (byte >= 0x80) continue;
    if (numbers.length === 0) {
      const first = Math.min(2, Math.floor(number / 40));
      numbers.push(first, number - first * 40);
    } else numbers.push(number);
    number = 0;
  }
  return numbers.join('.');
}

function derElement(
  der: Uint8Array,
  at: number,
): { readonly tag: number; readonly start: number; readonly end: number } | undefined {
  const tag = der[at];
  const first = der[at + 1];
  if (tag === undefined || first === undefined) return undefined;
  let length = first;
  let start = at + 2;
  if (first >= 0x80) {
    const octets = first & 0x7f;
    if (octets === 0 || octets > 4) return undefined;
    length = 0;
    for (let index = 0; index < octets; index += 1) length = length * 256 + (der[start + index] ?? 0);
    start += octets;
  }
  const end = start + length;
  return end > der.length ? undefined : { tag, start, end };
}

/** One line of the subject, the common name when there is one. */
function nameOf(certificate: X509Certificate): string {
  return commonName(certificate.subject) || certificate.subjectAltName || 'a certificate without a name';
}

function issuerOf(certificate: X509Certificate): string {
  return commonName(certificate.issuer) || 'unnamed';
}

function commonName(name: string | undefined): string {
  const line = (name ?? '').split('\n').find((part) => part.startsWith('CN='));
  return line ?? (name ?? '').replaceAll('\n', ', ');
}

function factsOf(certificate: X509Certificate, now: Date): CertificateFacts {
  const from = Date.parse(certificate.validFrom);
  const to = Date.parse(certificate.validTo);
  return {
    subject: (certificate.subject ?? '').replaceAll('\n', ', '),
    issuer: (certificate.issuer ?? '').replaceAll('\n', ', '),
    // Node says null, against its own types, for a name that it cannot read.
    names: (certificate.subjectAltName ?? '').split(', ').filter((name) => name !== ''),
    serial: certificate.serialNumber,
    notBefore: Number.isNaN(from) ? null : iso(from),
    notAfter: Number.isNaN(to) ? null : iso(to),
    daysLeft: Number.isNaN(to) ? null : daysBetween(now, to),
    isCa: certificate.ca,
    isForClients: isForClients(certificate),
    key: keyText(certificate),
    sha256: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
  };
}

function keyText(certificate: X509Certificate): string {
  try {
    const { asymmetricKeyType = '', asymmetricKeyDetails } = certificate.publicKey;
    const size = asymmetricKeyDetails?.modulusLength ?? asymmetricKeyDetails?.namedCurve ?? '';
    return `${asymmetricKeyType.toUpperCase()} ${size}`.trim();
  } catch {
    return 'unknown';
  }
}
