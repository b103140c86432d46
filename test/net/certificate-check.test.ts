import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CertificateVerdict, certificateFacts, checkCertificates } from '../../src/lib/net/certificate-check';

let folder = '';
const file = (name: string): string => join(folder, name);
const bytes = (name: string): Buffer => readFileSync(file(name));
const openssl = (...args: string[]): Buffer =>
  execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] });

const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

function newCa(name: string, subject = `/CN=${name}`): void {
  openssl('req', '-x509', ...ec, '-keyout', `${name}.key`, '-out', `${name}.pem`, '-subj', subject, '-days', '3650');
}

function issue(
  name: string,
  issuer: string,
  extensions: string,
  key: readonly string[] = ec,
  more: readonly string[] = [],
): void {
  writeFileSync(file(`${name}.ext`), extensions);
  openssl('req', '-new', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/O=netctl/CN=${name}`);
  openssl(
    'x509',
    '-req',
    '-in',
    `${name}.csr`,
    '-CA',
    `${issuer}.pem`,
    '-CAkey',
    `${issuer}.key`,
    '-CAcreateserial',
    '-days',
    '365',
    '-extfile',
    `${name}.ext`,
    '-out',
    `${name}.pem`,
    ...more,
  );
}

const forClients = 'basicConstraints=CA:FALSE\nextendedKeyUsage=clientAuth\nsubjectAltName=DNS:node1,IP:10.4.7.21\n';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'netctl-certs-'));
  newCa('ca');
  // The same name with another key: a CA that was made anew.
  newCa('again', '/CN=ca');
  newCa('other');
  issue('client', 'ca', forClients);
  issue('server', 'ca', 'basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n');
  issue('anything', 'ca', 'basicConstraints=CA:FALSE\n');
  issue('middle', 'ca', 'basicConstraints=critical,CA:TRUE\n');
  issue('below', 'middle', forClients);
  issue('small', 'ca', forClients, ['-newkey', 'rsa:1024', '-nodes']);
  issue('sha1', 'ca', forClients, ec, ['-sha1']);
  issue('bitcoin', 'ca', forClients, ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:secp256k1', '-nodes']);
  openssl('pkey', '-in', 'client.key', '-aes256', '-passout', 'pass:geheim', '-out', 'locked.key');
  openssl('ec', '-in', 'client.key', '-aes256', '-passout', 'pass:geheim', '-out', 'locked-old.key');
  openssl('x509', '-in', 'client.pem', '-outform', 'DER', '-out', 'client.der');
  openssl('x509', '-in', 'ca.pem', '-trustout', '-out', 'trusted.pem');
  writeFileSync(file('chain.pem'), Buffer.concat([bytes('below.pem'), bytes('middle.pem')]));
  writeFileSync(file('with-key.pem'), Buffer.concat([bytes('ca.pem'), bytes('ca.key')]));
}, 60_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Names {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

function check(names: Names, daysFromNow = 0, warnDays = 30): CertificateVerdict {
  const pem = (name: string | undefined) => (name === undefined ? undefined : { path: name, bytes: bytes(name) });
  const [ca, cert, key] = [pem(names.ca), pem(names.cert), pem(names.key)];
  return checkCertificates(
    {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    },
    // One minute later than now, or a certificate made in this second would not be valid yet.
    { now: new Date(Date.now() + 60_000 + daysFromNow * 86_400_000), warnDays },
  );
}

const codes = (names: Names, daysFromNow = 0, warnDays = 30): readonly string[] =>
  check(names, daysFromNow, warnDays).problems.map(({ code, path }) => `${path} ${code}`);

const good: Names = { ca: 'ca.pem', cert: 'client.pem', key: 'client.key' };

describe('the certificates of flanneld', () => {
  it('are right when the CA signed the client, the key is its key, and all are valid', () => {
    expect(codes(good)).toEqual([]);
    expect(codes({ ...good, cert: 'anything.pem', key: 'anything.key' })).toEqual([]);
    expect(codes({ ca: 'ca.pem' })).toEqual([]);
    expect(codes({})).toEqual([]);
  });

  it('may have others between the client and the CA, when they stand in the file', () => {
    expect(codes({ ca: 'ca.pem', cert: 'chain.pem', key: 'below.key' })).toEqual([]);
    expect(codes({ ca: 'ca.pem', cert: 'below.pem', key: 'below.key' })).toEqual(['cert certificate-not-signed-by-ca']);
    // Go trusts every certificate of the CA file, not only roots.
    expect(codes({ ca: 'middle.pem', cert: 'below.pem', key: 'below.key' })).toEqual([]);
  });

  it('are told when the CA did not sign, and when it was made anew under its old name', () => {
    const message = (ca: string): string | undefined => check({ ...good, ca }).problems[0]?.message;
    expect(message('other.pem')).toMatch(/was not signed by the CA in other\.pem: its issuer is CN=ca$/);
    expect(message('again.pem')).toMatch(/signed by another key: the CA was made anew/);
  });

  it.each<[string, Names, readonly string[]]>([
    ['the key of another certificate', { ...good, key: 'server.key' }, ['key certificate-key-mismatch']],
    ['a server certificate', { ...good, cert: 'server.pem', key: 'server.key' }, ['cert certificate-not-for-clients']],
    ['a client certificate as the CA', { ca: 'server.pem' }, ['ca certificate-not-ca']],
    ['CA and certificate swapped', { ca: 'client.pem', cert: 'ca.pem', key: 'ca.key' }, ['ca certificate-swapped']],
    ['a locked key', { ...good, key: 'locked.key' }, ['key certificate-key-encrypted']],
    ['a key locked in the old form', { ...good, key: 'locked-old.key' }, ['key certificate-key-encrypted']],
    ['a certificate as the key', { ...good, key: 'client.pem' }, ['key certificate-key-unreadable']],
    ['a key as the certificate', { ca: 'ca.pem', cert: 'client.key' }, ['cert certificate-holds-key']],
    ['the key of the CA in its file', { ...good, ca: 'with-key.pem' }, ['ca certificate-holds-key']],
    ['a request', { ca: 'ca.pem', cert: 'client.csr' }, ['cert certificate-unreadable']],
    ['DER', { ca: 'ca.pem', cert: 'client.der' }, ['cert certificate-unreadable']],
    ["OpenSSL's own form", { ca: 'trusted.pem' }, ['ca certificate-unreadable']],
    [
      'a curve that Go does not have',
      { ca: 'ca.pem', cert: 'bitcoin.pem', key: 'bitcoin.key' },
      ['key certificate-key-unreadable'],
    ],
    ['a signature with SHA-1', { ca: 'ca.pem', cert: 'sha1.pem', key: 'sha1.key' }, ['cert certificate-weak']],
    ['a short RSA key', { ca: 'ca.pem', cert: 'small.pem', key: 'small.key' }, ['cert certificate-weak']],
  ])('%s is found', (_what, names, expected) => {
    expect(codes(names)).toEqual(expected);
  });

  it('are read as Go reads PEM: text around blocks is nothing, a mark before the first one hides it', () => {
    const at = { now: new Date(Date.now() + 60_000), warnDays: 30 };
    const text = (content: Uint8Array | string) =>
      checkCertificates({ ca: { path: 'ca.pem', bytes: Buffer.from(content) } }, at);
    const pem = bytes('ca.pem').toString('utf8');
    expect(text(`Certificate:\n    Data:\n${pem}\n# end\n`)).toMatchObject({ problems: [], ca: [{ isCa: true }] });
    expect(text(pem.replaceAll('\n', '\r\n')).problems).toEqual([]);
    expect(text(pem.trimEnd()).problems).toEqual([]);
    expect(text(`\ufeff${pem}`).problems).toMatchObject([
      { code: 'certificate-unreadable', message: expect.stringContaining('start of a line') },
    ]);
    expect(text(pem.slice(0, 300)).problems).toMatchObject([{ code: 'certificate-unreadable' }]);
    expect(text(pem.replace(/\n[A-Za-z0-9+/]{10}/, '\nAAAAAAAAAA')).problems).toMatchObject([
      { message: expect.stringContaining('damaged') },
    ]);
    expect(text(`${pem}-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n`).problems).toMatchObject([
      { code: 'certificate-extra-blocks', severity: 'warning' },
    ]);
    expect(text('').problems).toMatchObject([{ code: 'certificate-unreadable' }]);
    expect(text(Buffer.alloc(2_000_000, '-')).problems).toMatchObject([{ code: 'certificate-unreadable' }]);
  });

  it('are judged by the clock that is given', () => {
    expect(codes(good, 334, 30)).toEqual([]);
    expect(codes(good, 340, 30)).toEqual(['cert certificate-expires-soon']);
    expect(codes(good, 340, 7)).toEqual([]);
    expect(codes(good, 366)).toEqual(['cert certificate-expired']);
    expect(codes(good, -1)).toEqual(['ca certificate-not-yet-valid', 'cert certificate-not-yet-valid']);
    expect(check(good, 364).problems[0]?.message).toMatch(
      /^client\.pem: CN=client expires on \d{4}-\d\d-\d\d, in 0 days$/,
    );
    expect(check(good, 366).problems[0]?.message).toMatch(/expired on \d{4}-\d\d-\d\d, 1 day ago$/);
  });

  it('never show a key', () => {
    const secret = bytes('client.key').toString('utf8').split('\n')[1] ?? '';
    expect(secret.length).toBeGreaterThan(40);
    for (const names of [
      good,
      { ...good, key: 'server.key' },
      { cert: 'client.key' },
      { ca: 'client.key', cert: 'client.key', key: 'client.pem' },
    ]) {
      expect(JSON.stringify(check(names))).not.toContain(secret);
    }
  });

  it('may be any bytes', () => {
    const at = { now: new Date(), warnDays: 30 };
    const pem = bytes('client.pem');
    fc.assert(
      fc.property(fc.nat(pem.length - 1), fc.nat(255), (index, byte) => {
        const damaged = Buffer.from(pem);
        damaged[index] = byte;
        const one = { path: 'x', bytes: damaged };
        expect(() => checkCertificates({ ca: one, cert: one, key: one }, at)).not.toThrow();
      }),
    );
  });
});

describe('the facts of a certificate', () => {
  it('are what openssl says', () => {
    const now = new Date();
    const [facts, ...others] = certificateFacts(bytes('client.pem'), now);
    expect(others).toEqual([]);
    expect(facts).toMatchObject({
      subject: 'O=netctl, CN=client',
      issuer: 'CN=ca',
      names: ['DNS:node1', 'IP Address:10.4.7.21'],
      isCa: false,
      isForClients: true,
      key: 'EC prime256v1',
      daysLeft: 364,
    });
    const said = openssl(
      'x509',
      '-in',
      'client.pem',
      '-noout',
      '-enddate',
      '-fingerprint',
      '-sha256',
      '-serial',
      '-dateopt',
      'iso_8601',
    ).toString();
    expect(said).toContain(facts?.notAfter?.replace('T', ' '));
    expect(said.replaceAll(':', '').toLowerCase()).toContain(facts?.sha256);
    expect(said).toContain(facts?.serial);
    expect(certificateFacts(bytes('chain.pem'), now)).toHaveLength(2);
    expect(certificateFacts(bytes('small.pem'), now)[0]?.key).toBe('RSA 1024');
    expect(certificateFacts(Buffer.from('nothing'), now)).toEqual([]);
  });
});
