import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nodePlace, type PushedCertificates, pushedPlace } from '../../src/lib/check/fleet-certificates';
import { type Known, known, unknown } from '../../src/lib/fact/fact';
import type { FileContent, FileFact } from '../../src/lib/fact/files';

let folder = '';
let ca: Buffer;
let other: Buffer;
let age: { readonly now: Date; readonly warnDays: number };
const paths = { ca: '/opt/flannel/cert/ca.pem', client: '/opt/flannel/cert/client.pem' };

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'netctl-certs-'));
  const make = (name: string, days: number): Buffer => {
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', `${name}.key`];
    const words = ['req', '-x509', ...key, '-subj', `/CN=${name}`, '-days', String(days), '-out', `${name}.pem`];
    execFileSync('openssl', words, { cwd: folder, stdio: 'ignore' });
    return readFileSync(join(folder, `${name}.pem`));
  };
  ca = make('ca', 10);
  other = make('other', 3650);
  // Behind them: openssl counts from the beginning of the second, and the next one may have begun meanwhile.
  age = { now: new Date(), warnDays: 30 };
});
afterAll(() => rmSync(folder, { recursive: true }));

function present(bytes: Uint8Array | null): FileFact<FileContent> {
  const state = { mode: 0o600, uid: 0, gid: 0, sizeBytes: 0, modifiedAtSeconds: 0, target: null };
  return known({ present: true, kind: bytes === null ? 'folder' : 'file', ...state, bytes });
}

const absent: FileFact<FileContent> = known({ present: false });

function files(
  caFile: FileFact<FileContent>,
  client: FileFact<FileContent>,
): Known<ReadonlyMap<string, FileFact<FileContent>>> {
  return known(
    new Map([
      [paths.ca, caFile],
      [paths.client, client],
    ]),
  );
}

const pushed = (): PushedCertificates => ({ ca: { path: 'ca.pem', bytes: ca } });
const codes = (place: ReturnType<typeof nodePlace>) => place.problems.map(({ code, path }) => `${path} ${code}`);

describe('the certificates of a fleet', () => {
  it('say how long they last, here and on a node', () => {
    expect(codes(pushedPlace(pushed(), age))).toEqual(['ca certificate-expires-soon']);
    expect(codes(pushedPlace(pushed(), { ...age, warnDays: 5 }))).toEqual([]);
    const place = nodePlace(paths, files(present(ca), absent), pushed(), age);
    expect(codes(place)).toEqual(['ca certificate-expires-soon']);
    expect(place.files).toMatchObject([
      { role: 'ca', isThere: true, isAsPushed: true, certificates: [{ daysLeft: 9 }] },
    ]);
  });

  it('are compared byte for byte with what would be pushed, which is a remark', () => {
    const place = nodePlace(paths, files(present(other), absent), pushed(), age);
    expect(place.files).toMatchObject([{ role: 'ca', isAsPushed: false }]);
    expect(place.problems).toMatchObject([{ code: 'certificate-not-pushed', severity: 'info' }]);
  });

  it('are missing only where netctl would push one', () => {
    const none = files(absent, absent);
    expect(codes(nodePlace(paths, none, pushed(), age))).toEqual(['ca certificate-missing']);
    expect(nodePlace(paths, none, {}, age)).toEqual({ files: [], problems: [] });
  });

  it('are judged where netctl would push none', () => {
    const place = nodePlace(paths, files(present(ca), absent), {}, age);
    expect(place.files).toMatchObject([{ isAsPushed: null }]);
    expect(codes(place)).toEqual(['ca certificate-expires-soon']);
  });

  it('that could not be read are unknown, neither there nor missing', () => {
    for (const answer of [
      unknown('we may not look at it'),
      files(unknown('we may not look at it'), unknown('we may not look at it')),
    ]) {
      const place = nodePlace(paths, answer, pushed(), age);
      expect(place.files).toMatchObject([
        { role: 'ca', isThere: null, isAsPushed: null, why: 'we may not look at it' },
        { role: 'client', isThere: null },
      ]);
      expect(codes(place)).toEqual(['ca certificate-unknown', 'cert certificate-unknown']);
    }
    expect(codes(nodePlace(paths, files(present(null), absent), pushed(), age))).toEqual(['ca certificate-unknown']);
  });

  it('that are no certificates are told', () => {
    const place = nodePlace(paths, files(present(Buffer.from('nothing')), absent), pushed(), age);
    expect(codes(place)).toContain('ca certificate-unreadable');
    expect(place.files).toMatchObject([{ isThere: true, isAsPushed: false, certificates: [] }]);
  });
});
