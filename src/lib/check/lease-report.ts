import { createHash } from 'node:crypto';
import { InvalidInput, Refused } from '../errors';
import type { Entry } from '../store/store';
import type { Evidence, LeaseJudgement, LeaseLook, LeaseVerdict } from './lease-evidence';

/** A lease in a report: what it was, and how it was judged. */
export interface ReportedLease {
  readonly subnet: string;
  readonly key: string;
  readonly revision: string;
  readonly leaseId: string | null;
  /** Seconds that it had left; null when it does not expire, or when etcd did not say. */
  readonly expiresInSeconds: number | null;
  /** SHA-256 of the stored bytes, hex. */
  readonly valueSha256: string;
  readonly publicIP: string | null;
  readonly node: string | null;
  readonly verdict: LeaseVerdict;
  readonly why: string;
  readonly evidence: readonly Evidence[];
}

/** The part of `subnets check -o json` from which `subnets reclaim --from-report` works. */
export interface LeaseReport {
  /** Of netctl. */
  readonly version: string;
  /** ISO 8601, by the clock of the workstation. */
  readonly at: string;
  readonly leases: readonly ReportedLease[];
}

/** Two reports are of one network only when these agree. Nothing overrides that. */
export interface ReportOrigin {
  readonly api: 'v2' | 'v3';
  readonly clusterId: string;
  readonly prefix: string;
}

export interface ReadReport extends ReportOrigin, LeaseReport {
  /** For messages. */
  readonly file: string;
}

export function reportedLease(look: LeaseLook, judgement: LeaseJudgement, entry: Entry): ReportedLease {
  const { lease, node, ttlSeconds } = look;
  return {
    subnet: lease.subnetText,
    key: lease.key,
    revision: lease.revision,
    leaseId: lease.leaseId,
    expiresInSeconds: ttlSeconds,
    valueSha256: digestOf(entry.value),
    publicIP: lease.publicIP,
    node,
    ...judgement,
  };
}

function digestOf(value: Uint8Array): string {
  return createHash('sha256').update(value).digest('hex');
}

/** A network of 65,536 leases, each with its evidence. */
const mostLeases = 70_000;
const longestText = 8192;

/**
 * The report in a file that somebody hands us. What matters is checked to the letter; the rest is not read.
 * @throws InvalidInput `bad-report`
 */
export function parseLeaseReport(text: string, file: string): ReadReport {
  const bad = (why: string): InvalidInput =>
    new InvalidInput({
      code: 'bad-report',
      message: `${file} is no report of leases: ${why}`,
      next: ['Make one: netctl subnets check --report FILE'],
    });
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw bad('it is not JSON');
  }
  const textOf = (from: unknown, name: string): string => {
    const value = fieldOf(from, name);
    if (typeof value === 'string' && value !== '' && value.length <= longestText) return value;
    throw bad(`${name} is not there, or is no text`);
  };
  if (fieldOf(document, 'kind') !== 'SubnetCheck' || fieldOf(document, 'apiVersion') !== 'netctl/v1') {
    throw bad('it is not a document of netctl/v1 of the kind SubnetCheck');
  }
  const api = textOf(document, 'api');
  if (api !== 'v2' && api !== 'v3') throw bad(`its api is ${JSON.stringify(api.slice(0, 40))}, not v2 or v3`);
  const look = fieldOf(document, 'look');
  if (typeof look !== 'object' || look === null) {
    throw bad('nobody was looked for: it was made without --evidence or --report');
  }
  const at = textOf(look, 'at');
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/.test(at) || Number.isNaN(Date.parse(at))) {
    throw bad(`its time is ${JSON.stringify(at.slice(0, 40))}, not one such as 2026-01-31T12:00:00.000Z`);
  }
  const leases = fieldOf(look, 'leases');
  if (!Array.isArray(leases) || leases.length > mostLeases) throw bad('its leases are no list, or far too many');
  const seen = new Set<string>();
  return {
    file,
    api,
    clusterId: textOf(document, 'clusterId'),
    prefix: textOf(document, 'prefix'),
    version: textOf(look, 'version'),
    at,
    leases: leases.map((each: unknown): ReportedLease => {
      const key = textOf(each, 'key');
      if (seen.has(key)) throw bad(`${JSON.stringify(key.slice(0, 200))} is in it twice`);
      seen.add(key);
      const verdict = verdictOf(fieldOf(each, 'verdict'));
      const revision = textOf(each, 'revision');
      const valueSha256 = textOf(each, 'valueSha256');
      const left = fieldOf(each, 'expiresInSeconds');
      if (verdict === undefined || !/^\d{1,20}$/.test(revision) || !/^[0-9a-f]{64}$/.test(valueSha256)) {
        throw bad(`what it says of ${JSON.stringify(key.slice(0, 200))} cannot be read`);
      }
      return {
        key,
        subnet: textOf(each, 'subnet'),
        revision,
        valueSha256,
        verdict,
        expiresInSeconds: typeof left === 'number' && Number.isFinite(left) ? left : null,
        leaseId: null,
        publicIP: null,
        node: null,
        why: '',
        evidence: [],
      };
    }),
  };
}

function fieldOf(from: unknown, name: string): unknown {
  return typeof from === 'object' && from !== null && Object.hasOwn(from, name) ? Reflect.get(from, name) : undefined;
}

function verdictOf(value: unknown): LeaseVerdict | undefined {
  return (['proven-gone', 'not-proven', 'alive', 'kept'] as const).find((verdict) => verdict === value);
}

/** etcd's own clock is whole seconds, and a look takes a while. */
const clockSlackSeconds = 120;

/**
 * The keys that were gone in every report and have not been written since the first of them.
 * @param now the leases as they are, by key
 * @throws InvalidInput `too-few-reports` · Refused `other-cluster`, `reports-too-close`
 */
export function goneInAll(
  reports: readonly ReadReport[],
  origin: ReportOrigin,
  now: ReadonlyMap<string, Entry>,
  minGapSeconds: number,
): ReadonlySet<string> {
  const [first, ...others] = [...reports].sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
  if (first === undefined || others.length === 0) {
    throw new InvalidInput({
      code: 'too-few-reports',
      message: 'one report says only how it was at one moment; two are needed, made some time apart',
      next: ['netctl subnets reclaim --from-report FIRST --from-report SECOND'],
    });
  }
  for (const report of reports) requireSameOrigin(report, origin);
  const last = others.at(-1) ?? first;
  const gap = (Date.parse(last.at) - Date.parse(first.at)) / 1000;
  if (gap < minGapSeconds) throw tooClose(`${first.file} and ${last.file} are ${minutes(gap)} apart`, minGapSeconds);
  requireGapByEtcd(first, last, minGapSeconds);

  const rest = others.map(({ leases }) => new Map(leases.map((lease) => [lease.key, lease])));
  return new Set(
    first.leases.flatMap((lease) => {
      const entry = now.get(lease.key);
      const isSame = (other: ReportedLease | undefined): boolean =>
        other?.verdict === 'proven-gone' &&
        other.revision === lease.revision &&
        other.valueSha256 === lease.valueSha256;
      const isGone = isSame(lease) && rest.every((leases) => isSame(leases.get(lease.key)));
      const isUnwritten = entry?.revision === lease.revision && digestOf(entry.value) === lease.valueSha256;
      return isGone && isUnwritten ? lease.key : [];
    }),
  );
}

function requireSameOrigin(report: ReadReport, origin: ReportOrigin): void {
  for (const name of ['clusterId', 'prefix', 'api'] as const) {
    if (report[name] === origin[name]) continue;
    throw new Refused({
      code: 'other-cluster',
      message: `${report.file} is about ${wordOf[name]} ${report[name]}, and this is ${wordOf[name]} ${origin[name]}`,
      details: ['A report counts only where it was made; no flag changes that.'],
      next: ['Make the reports again, here: netctl subnets check --report FILE'],
    });
  }
}

const wordOf = { clusterId: 'the etcd cluster', prefix: 'the prefix', api: 'etcd' } as const;

/**
 * The clocks of two workstations may differ, or one be set; etcd counted the time between as well, on each lease that was not written.
 * An election sets TTLs back, so a greater one says nothing.
 */
function requireGapByEtcd(first: ReadReport, last: ReadReport, minGapSeconds: number): void {
  const later = new Map(last.leases.map((lease) => [lease.key, lease]));
  for (const lease of first.leases) {
    const other = later.get(lease.key);
    if (other?.revision !== lease.revision || other.expiresInSeconds === null || lease.expiresInSeconds === null)
      continue;
    const counted = lease.expiresInSeconds - other.expiresInSeconds;
    if (counted >= 0 && counted + clockSlackSeconds < minGapSeconds) {
      throw tooClose(
        `between ${first.file} and ${last.file} etcd counted ${minutes(counted)} on ${lease.subnet}, whatever the clocks say`,
        minGapSeconds,
      );
    }
  }
}

function tooClose(what: string, minGapSeconds: number): Refused {
  return new Refused({
    code: 'reports-too-close',
    message: `${what}; two looks prove something only ${minutes(minGapSeconds)} apart`,
    next: ['Make the second one later.', 'If that is enough for you: --min-gap MINUTES'],
  });
}

function minutes(seconds: number): string {
  return `${Math.floor(Math.max(0, seconds) / 60)} min`;
}
