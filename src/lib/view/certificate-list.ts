import type { PlaceCertificates } from '../check/fleet-certificates';
import type { Cell, ListView } from './list';

/** One certificate in the words of `certs check`; a file that is not there or cannot be read has one item with nulls. */
export interface CertificateItem {
  /** Null on the workstation, from which netctl pushes. */
  readonly node: string | null;
  readonly file: 'ca' | 'client';
  readonly path: string;
  /** Null when that could not be found out. */
  readonly isThere: boolean | null;
  /** Is the file, byte for byte, what netctl would push? Null when it could not be read, and when netctl would push none. */
  readonly isAsPushed: boolean | null;
  readonly subject: string | null;
  readonly issuer: string | null;
  readonly notAfter: string | null;
  /** Whole days; negative when it has expired. */
  readonly daysLeft: number | null;
  /** Of the certificate, as `openssl x509 -fingerprint -sha256` has it, without colons. */
  readonly sha256: string | null;
  /** Codes of the problems of the file. */
  readonly problems: readonly string[];
}

export function certificateItems(
  node: string | null,
  { files, problems }: PlaceCertificates,
): readonly CertificateItem[] {
  return files.flatMap(({ role, path, isThere, isAsPushed, certificates }): readonly CertificateItem[] => {
    const place = role === 'ca' ? 'ca' : 'cert';
    const codes = [...new Set(problems.flatMap((each) => (each.path === place ? [each.code] : [])))];
    const base = { node, file: role, path, isThere, isAsPushed, problems: codes };
    if (certificates.length === 0) {
      return [{ ...base, subject: null, issuer: null, notAfter: null, daysLeft: null, sha256: null }];
    }
    return certificates.map(({ subject, issuer, notAfter, daysLeft, sha256 }) => ({
      ...base,
      subject,
      issuer,
      notAfter,
      daysLeft,
      sha256,
    }));
  });
}

function pushed({ isThere, isAsPushed }: CertificateItem): Cell | string | null {
  if (isThere === null) return { text: '?', tone: 'warn' };
  if (!isThere) return { text: 'not there', tone: 'bad' };
  if (isAsPushed === null) return null;
  return isAsPushed ? 'same' : { text: 'differs', tone: 'warn' };
}

export function certificateListView(warnDays: number): ListView<CertificateItem> {
  const daysLeft = ({ daysLeft: days }: CertificateItem): Cell | null =>
    days === null ? null : { text: String(days), tone: days < 0 ? 'bad' : days < warnDays ? 'warn' : 'good' };
  return {
    kind: 'CertificateList',
    name: ({ node, path }) => `${node ?? 'workstation'}\t${path}`,
    empty: 'There are no certificates: etcd is reached without TLS.',
    columns: [
      { header: 'NODE', cell: ({ node }) => node ?? '(here)', csv: ({ node }) => node },
      { header: 'FILE', cell: ({ file }) => file },
      { header: 'SUBJECT', cell: ({ subject }) => subject, shrink: true },
      { header: 'ISSUER', cell: ({ issuer }) => issuer, shrink: true, drop: 2 },
      {
        header: 'EXPIRES',
        cell: ({ notAfter }) => notAfter?.slice(0, 10) ?? null,
        csv: ({ notAfter }) => notAfter,
        drop: 1,
      },
      { header: 'DAYS LEFT', cell: daysLeft, align: 'right' },
      {
        header: 'TO BE PUSHED',
        cell: pushed,
        csv: ({ isAsPushed }) => (isAsPushed === null ? null : String(isAsPushed)),
      },
      {
        header: 'PROBLEMS',
        cell: ({ problems }) => ({ text: problems.join(','), tone: 'bad' }),
        shrink: true,
        drop: 0,
      },
      { header: 'PATH', cell: ({ path }) => path, wideOnly: true },
      { header: 'SHA256', cell: ({ sha256 }) => sha256, wideOnly: true },
    ],
  };
}
