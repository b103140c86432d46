import { ChangeFailed, Conflict, type ErrorFields, InvalidInput, NetctlError, Unreachable } from '../errors';
import type { Probe } from './etcd-probe';
import type { Expected, Revision } from './store';

/** Everything that can go wrong between us and etcd; `etcd-<kind>` is its code in `netctl explain`. */
export type FailureKind =
  | Exclude<Probe['found'], 'etcd'>
  | 'timeout'
  | 'no-quorum'
  | 'interrupted'
  | 'auth-failed'
  | 'auth-needed'
  | 'permission-denied'
  | 'access-denied'
  | 'compacted'
  | 'no-space'
  | 'corrupt'
  | 'too-many-requests'
  | 'request-too-large'
  | 'answer-too-large'
  | 'v2-off'
  | 'v3-not-served'
  | 'refused-request';

/** What was being done, for the message. */
export interface Doing {
  readonly verb: 'read' | 'write' | 'delete' | 'watch';
  readonly key: string;
  readonly user?: string;
  readonly timeoutMs: number;
}

/** One endpoint's failure of one request. Internal to the store: what leaves it is made by `etcdError`. */
export class EndpointFailure extends Error {
  readonly kind: FailureKind;
  readonly endpoint: string;
  /** What was seen: an errno, an OpenSSL code, etcd's own sentence. */
  readonly reason: string;

  constructor(kind: FailureKind, endpoint: string, reason: string, cause?: unknown) {
    super(`${endpoint}: ${kind}: ${reason}`, { cause });
    this.name = 'EndpointFailure';
    this.kind = kind;
    this.endpoint = endpoint;
    this.reason = reason;
  }
}

/** The request cannot have been carried out: it never got to an etcd that would. */
export class NotSent extends EndpointFailure {}

type Maker = new (fields: ErrorFields) => NetctlError;

interface FailureRule {
  readonly make: Maker;
  /** Every member would say the same, so no other is asked. */
  readonly final?: true;
  /** May be over in a moment, so that a read is worth repeating. */
  readonly passing?: true;
  /** What follows "etcd http://…" in the message. */
  readonly says: (reason: string, doing: Doing) => string;
  readonly next: (endpoint: string, doing: Doing) => readonly string[];
}

const hostOf = (endpoint: string) => endpoint.replace(/^https?:\/\//, '');
const seconds = (doing: Doing) => `${doing.timeoutMs / 1000} s`;
const rightTo = { read: 'read', watch: 'read', write: 'readwrite', delete: 'readwrite' } as const;

const rules: Readonly<Record<FailureKind, FailureRule>> = {
  'name-unknown': {
    make: Unreachable,
    says: (reason) => `its host name does not resolve (${reason})`,
    next: (endpoint) => [`Check the name: getent hosts ${hostOf(endpoint).replace(/:\d+$/, '')}`],
  },
  refused: {
    make: Unreachable,
    says: (reason) => `nothing listens on that port (${reason})`,
    next: (endpoint) => [
      'Is etcd running there? systemctl status etcd, on that machine.',
      `Does it listen on this address? Its --listen-client-urls must have ${endpoint}.`,
    ],
  },
  unroutable: {
    make: Unreachable,
    says: (reason) => `no connection can be made (${reason})`,
    next: (endpoint) => [`Check the way there: ip route get ${hostOf(endpoint).replace(/:\d+$/, '')}`],
  },
  'no-answer': {
    make: Unreachable,
    says: (_, doing) => `no connection within ${seconds(doing)}: packets to it vanish`,
    next: (endpoint) => [
      `A firewall that drops, or a machine that is off: nc -vz ${hostOf(endpoint).replace(/:(\d+)$/, ' $1')}`,
      'A slow way there needs a longer --timeout.',
    ],
  },
  silent: {
    make: Unreachable,
    says: (reason, doing) => `no answer within ${seconds(doing)}: ${reason}`,
    next: () => [
      'The process there hangs or is stopped, or it is not etcd.',
      'A slow way there needs a longer --timeout.',
    ],
  },
  timeout: {
    make: Unreachable,
    says: (reason, doing) => `it is up but did not finish the request within ${seconds(doing)} (${reason})`,
    next: (endpoint) => [
      `Look at its load and disk: etcdctl --endpoints ${endpoint} check perf`,
      'Give it more time: --timeout 30',
    ],
  },
  'no-quorum': {
    make: Unreachable,
    says: () =>
      'this member is up but the cluster has no leader: it has lost its quorum, so nothing can be read or written',
    next: () => [
      'Bring back members until more than half of them run: etcdctl endpoint status --cluster -w table',
      'Containers keep their network meanwhile; nodes cannot renew leases, which live 24 hours.',
    ],
  },
  interrupted: {
    make: Unreachable,
    passing: true,
    says: (reason) => `the connection broke off (${reason})`,
    next: () => ['etcd may be restarting: run the command again.'],
  },
  'tls-unknown-ca': {
    make: Unreachable,
    says: (reason) => `its certificate is not signed by the CA that was given (${reason})`,
    next: (endpoint) => [
      'Give the CA that signed it: --cacert FILE',
      `See who signed it: openssl s_client -connect ${hostOf(endpoint)} -showcerts </dev/null | openssl x509 -noout -issuer`,
    ],
  },
  'tls-server-out-of-date': {
    make: Unreachable,
    says: (reason) => `its certificate is not valid now: ${reason}`,
    next: () => [
      'Renew the certificate of that etcd member.',
      'If the certificate is right, the clock of this machine is not: date',
    ],
  },
  'tls-wrong-name': {
    make: Unreachable,
    says: (reason) => `its certificate is for other names: ${reason}`,
    next: (endpoint) => [
      `Use one of those names as the endpoint, or issue a certificate with ${hostOf(endpoint).replace(/:\d+$/, '')} in its subjectAltName (an address as IP:…).`,
    ],
  },
  'tls-client-cert-required': {
    make: Unreachable,
    says: (reason) => `it wants a client certificate and none was given (${reason})`,
    next: () => ['Give one that its --trusted-ca-file signed: --cert FILE --key FILE'],
  },
  'tls-client-cert-refused': {
    make: Unreachable,
    says: (reason) => `it refused our client certificate: ${reason}`,
    next: () => [
      "It must be valid today, signed by the CA in etcd's --trusted-ca-file, and usable for client authentication.",
      'Look at it: openssl x509 -in CERT -noout -issuer -dates -ext extendedKeyUsage',
    ],
  },
  'tls-failed': {
    make: Unreachable,
    says: (reason) => `the TLS handshake failed (${reason})`,
    next: (endpoint) => [`See it happen: openssl s_client -connect ${hostOf(endpoint)} </dev/null`],
  },
  'tls-needed': {
    make: Unreachable,
    says: () => 'the port speaks TLS and was asked in plain HTTP',
    next: (endpoint) => [`Write ${endpoint.replace('http:', 'https:')}, with --cacert FILE`],
  },
  'tls-not-spoken': {
    make: Unreachable,
    says: (reason) => `the port does not speak TLS (${reason})`,
    next: (endpoint) => [`Write ${endpoint.replace('https:', 'http:')} if etcd really runs without TLS`],
  },
  'not-etcd': {
    make: Unreachable,
    says: (reason) => `something other than etcd answers there (${reason})`,
    next: (endpoint) => [`See what it is: curl -i ${endpoint}/version; etcd says {"etcdserver":"3.…`],
  },
  'auth-failed': {
    make: Unreachable,
    final: true,
    says: (_, doing) => `it refused the password of user ${JSON.stringify(doing.user ?? '')}, or there is no such user`,
    next: () => ['Check --user and the password (NETCTL_PASSWORD, --password-file).', 'Users: etcdctl user list'],
  },
  'auth-needed': {
    make: Unreachable,
    final: true,
    says: () => 'it wants a user and a password and none were given',
    next: () => ['Give them: --user NAME, and the password at the prompt or in --password-file FILE'],
  },
  'permission-denied': {
    make: Unreachable,
    final: true,
    says: (_, doing) =>
      `${doing.user === undefined ? 'the user that our certificate names' : `user ${JSON.stringify(doing.user)}`} has no right to ${doing.verb} ${JSON.stringify(doing.key)}`,
    next: (_, doing) => [
      `Grant it to a role of the user: etcdctl role grant-permission ROLE --prefix=true ${rightTo[doing.verb]} PREFIX, where ${JSON.stringify(doing.key)} begins with PREFIX`,
    ],
  },
  'access-denied': {
    make: Unreachable,
    final: true,
    says: (_, doing) =>
      `it refused user ${JSON.stringify(doing.user ?? '')}: the password is wrong, or the user has no right to ${doing.verb} ${JSON.stringify(doing.key)} (etcd v2 does not say which)`,
    next: () => [
      'Check --user and the password (NETCTL_PASSWORD, --password-file).',
      'See the rights: ETCDCTL_API=2 etcdctl user get NAME, then role get ROLE',
    ],
  },
  compacted: {
    make: Conflict,
    final: true,
    says: () => 'the history that was asked for has been compacted away',
    next: () => ['Run the command again.'],
  },
  'no-space': {
    make: ChangeFailed,
    final: true,
    says: (_, doing) =>
      `its database is full (NOSPACE alarm), so ${JSON.stringify(doing.key)} was not written; reading still works`,
    next: (endpoint) => [
      `Find the revision: etcdctl --endpoints ${endpoint} endpoint status -w json (header.revision)`,
      'Drop the history: etcdctl compact REVISION',
      'Give the room back, member by member: etcdctl defrag --cluster',
      'Take writes again: etcdctl alarm disarm',
      'A larger --quota-backend-bytes and --auto-compaction-retention keep it from coming back.',
    ],
  },
  corrupt: {
    make: ChangeFailed,
    final: true,
    says: (_, doing) =>
      `its members hold different data (CORRUPT alarm), so ${JSON.stringify(doing.key)} was not written; what it lets you read may be wrong`,
    next: () => [
      'Find the member that differs: etcdctl endpoint hashkv --cluster -w table',
      'Remove that member, wipe its data directory, add it again; then: etcdctl alarm disarm',
    ],
  },
  'too-many-requests': {
    make: Unreachable,
    passing: true,
    says: () => 'it turns requests away because it is overloaded',
    next: () => ['Run the command again in a moment.', 'Look at the load: etcdctl endpoint status --cluster -w table'],
  },
  'request-too-large': {
    make: InvalidInput,
    final: true,
    says: (_, doing) =>
      `the value for ${JSON.stringify(doing.key)} is larger than it takes (1.5 MiB unless --max-request-bytes says otherwise)`,
    next: () => ['Write a smaller value; a network config has some hundred bytes.'],
  },
  'answer-too-large': {
    make: Unreachable,
    final: true,
    says: (reason, doing) => `the answer for ${JSON.stringify(doing.key)} is larger than netctl takes (${reason})`,
    next: () => ['Is the prefix right? It holds more than any flannel network can.'],
  },
  'v2-off': {
    make: Unreachable,
    says: () => 'it does not serve the v2 API',
    next: () => [
      'flannel v0.18 and later use v3: --etcd-api v3',
      'etcd 3.4 and 3.5 serve v2 with --enable-v2=true; etcd 3.6 no longer has it.',
    ],
  },
  'v3-not-served': {
    make: Unreachable,
    says: (reason) => `it does not serve the v3 API (${reason})`,
    next: () => ['flannel up to v0.17 uses v2: --etcd-api v2'],
  },
  'refused-request': {
    make: ChangeFailed,
    final: true,
    says: (reason, doing) => `it refused to ${doing.verb} ${JSON.stringify(doing.key)}: ${reason}`,
    next: () => [],
  },
};

/** Whether another member, or another try, could give a different answer. */
export function isFinal(failure: unknown): boolean {
  return !(failure instanceof EndpointFailure) || rules[failure.kind].final === true;
}

export function isPassing(failure: unknown): boolean {
  return failure instanceof EndpointFailure && rules[failure.kind].passing === true;
}

/** Whether an error made by `etcdError` would be the same after a pause: a password does not mend itself. */
export function staysSo(error: unknown): boolean {
  return Object.entries(rules).some(
    ([kind, rule]) => rule.final === true && error instanceof NetctlError && error.code === `etcd-${kind}`,
  );
}

/** The one error for a request that no endpoint answered. `failures` is in the order in which they were asked. */
export function etcdError(failures: readonly EndpointFailure[], doing: Doing): NetctlError {
  const last = failures.findLast((failure) => rules[failure.kind].final === true) ?? failures[0];
  if (last === undefined) throw new Error('an error without a failure');
  const rule = rules[last.kind];
  const endpoints = new Map(failures.map((failure) => [failure.endpoint, failure]));
  const sole = endpoints.size === 1 || rule.final === true;
  const next = rule.next(last.endpoint, doing);
  const fields = { cause: last.cause, next };
  if (sole) {
    return new rule.make({
      ...fields,
      code: `etcd-${last.kind}`,
      message: `etcd ${last.endpoint}: ${rule.says(last.reason, doing)}`,
    });
  }
  const details = [...endpoints.values()].map(
    (failure) => `${failure.endpoint}: ${rules[failure.kind].says(failure.reason, doing)}`,
  );
  const kinds = new Set([...endpoints.values()].map((failure) => failure.kind));
  // A member that answers without a quorum explains why the dead ones matter.
  const noQuorum = failures.find((failure) => failure.kind === 'no-quorum');
  if (noQuorum !== undefined) {
    const quorum = rules['no-quorum'];
    return new quorum.make({
      code: 'etcd-no-quorum',
      message: `etcd ${noQuorum.endpoint}: ${quorum.says(noQuorum.reason, doing)}; all ${endpoints.size} endpoints were tried`,
      details,
      next: quorum.next(noQuorum.endpoint, doing),
    });
  }
  const urls = [...endpoints.keys()].join(', ');
  return new Unreachable({
    ...fields,
    code: kinds.size === 1 ? `etcd-${last.kind}` : 'etcd-unreachable',
    message: `None of the ${endpoints.size} etcd endpoints could be used: ${urls}`,
    details,
    next: kinds.size === 1 ? next : ['Each endpoint failed in its own way, see above: netctl explain etcd-unreachable'],
  });
}

/** Someone else changed the key since it was read. */
export function conflict(
  endpoint: string,
  key: string,
  expected: Expected,
  found: Revision | undefined,
  details: readonly string[] = [],
): Conflict {
  const is = found === undefined ? 'it no longer exists' : `it is now at revision ${found}`;
  const was = expected === 'absent' ? 'it did not exist when it was read' : `it was read at revision ${expected}`;
  return new Conflict({
    code: 'etcd-conflict',
    message: `${JSON.stringify(key)} was changed by somebody else in etcd ${endpoint}: ${was}, and ${is}`,
    details,
    next: ['Nothing was written over that change. Look at it, then run the command again.'],
  });
}

/** The lock under which a change was to be made is not the one that we took. */
export function lockLost(endpoint: string, key: string): Conflict {
  return new Conflict({
    code: 'lock-lost',
    message: `etcd ${endpoint}: ${JSON.stringify(key)} was not changed, because this run no longer holds the lock: it ran out, or somebody broke it`,
    next: [
      'Nothing further was begun. See what the other one did, then run the command again: it goes on from what is there.',
    ],
  });
}

/** The answer to a write was lost and the key could not be read again. */
export function outcomeUnknown(key: string, lost: EndpointFailure, cause: unknown): ChangeFailed {
  return new ChangeFailed({
    code: 'etcd-outcome-unknown',
    message: `etcd ${lost.endpoint}: the answer to the change of ${JSON.stringify(key)} was lost, and the key could not be read again: whether it was changed is unknown`,
    details: [lost.reason, ...(cause instanceof Error ? [cause.message] : [])],
    next: ['Run the command again when etcd answers: it looks first, and changes only what is not yet so.'],
    cause,
  });
}

/** The answer to a write was lost; the key was read again and is as before. */
export function notWritten(key: string, lost: EndpointFailure): ChangeFailed {
  return new ChangeFailed({
    code: 'etcd-not-written',
    message: `etcd ${lost.endpoint}: the change of ${JSON.stringify(key)} got no answer, and the key is still as it was`,
    details: [lost.reason],
    next: [
      'Run the command again. Should the first change arrive late, the second is refused as a conflict; both cannot happen.',
    ],
  });
}
