import net from 'node:net';
import tls from 'node:tls';
import { type Endpoint, outOfDateText, type TlsMaterial } from './endpoint';

/**
 * What one fresh connection to an endpoint shows. Asked only after a request failed, because the libraries fold a dozen
 * different causes into one "unavailable"; here each arrives with its own error code.
 */
export type Probe =
  | { readonly found: 'name-unknown' | 'refused' | 'unroutable' | 'no-answer' | 'silent'; readonly reason: string }
  | { readonly found: 'tls-unknown-ca' | 'tls-server-out-of-date' | 'tls-wrong-name'; readonly reason: string }
  | { readonly found: 'tls-client-cert-required' | 'tls-client-cert-refused' | 'tls-failed'; readonly reason: string }
  | { readonly found: 'tls-needed' | 'tls-not-spoken' | 'not-etcd'; readonly reason: string }
  | { readonly found: 'etcd'; readonly version: string; readonly reason: string };

const maxAnswerBytes = 4096;
const hungUp = 'it closed the connection without an answer';
const closedEarly = 'the connection was closed in the TLS handshake';

/** Connects, greets with `GET /version` (no credentials are sent) and reports; ends at the deadline at the latest. */
export async function probeEndpoint(
  endpoint: Endpoint,
  material: TlsMaterial | undefined,
  deadlineMs: number,
): Promise<Probe> {
  const connection = await connect(endpoint, deadlineMs);
  if ('found' in connection) return connection;
  try {
    if (!endpoint.secure) {
      const greeted = await greet(endpoint, connection, material, deadlineMs);
      // etcd's TLS port hangs up on plain HTTP without a word.
      const mute = greeted.found === 'not-etcd' && greeted.reason === hungUp;
      return mute && (await speaksTls(endpoint, deadlineMs))
        ? { found: 'tls-needed', reason: 'it speaks TLS' }
        : greeted;
    }
    const secured = await secure(endpoint, connection, material, deadlineMs);
    if (!('found' in secured)) return await greet(endpoint, secured, material, deadlineMs);
    // etcd's plain port hangs up on a TLS greeting without a word.
    const mute = secured.found === 'tls-failed' && secured.reason === closedEarly;
    return mute && (await speaksHttp(endpoint, deadlineMs))
      ? { found: 'tls-not-spoken', reason: closedEarly }
      : secured;
  } finally {
    connection.destroy();
  }
}

function connect(endpoint: Endpoint, deadlineMs: number): Promise<net.Socket | Probe> {
  return new Promise((resolve) => {
    const socket = net.connect({ host: endpoint.host, port: endpoint.port });
    const end = (result: net.Socket | Probe) => {
      clearTimeout(timer);
      socket.removeAllListeners();
      socket.on('error', () => undefined);
      if ('found' in result) socket.destroy();
      resolve(result);
    };
    const timer = setTimeout(
      () => end({ found: 'no-answer', reason: 'no TCP connection was made in time' }),
      remainingMs(deadlineMs),
    );
    socket.once('connect', () => end(socket));
    socket.once('error', (error: NodeJS.ErrnoException) => end(connectProbe(error)));
  });
}

/** What the error of a TCP connection says. */
export function connectProbe(error: NodeJS.ErrnoException): Probe {
  const code = error.code ?? firstCode(error) ?? 'unknown';
  if (code === 'ECONNREFUSED') return { found: 'refused', reason: code };
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN' || code === 'EAI_NODATA')
    return { found: 'name-unknown', reason: code };
  if (code === 'ETIMEDOUT') return { found: 'no-answer', reason: code };
  return { found: 'unroutable', reason: code };
}

/** A name with several addresses fails with an AggregateError that has no code of its own in some releases of Node. */
function firstCode(error: Error): string | undefined {
  if (!(error instanceof AggregateError)) return undefined;
  for (const inner of error.errors) if (inner instanceof Error && 'code' in inner) return String(inner.code);
  return undefined;
}

function secure(
  endpoint: Endpoint,
  socket: net.Socket,
  material: TlsMaterial | undefined,
  deadlineMs: number,
): Promise<tls.TLSSocket | Probe> {
  return new Promise((resolve) => {
    const secured = tls.connect({
      socket,
      host: endpoint.host,
      ...(net.isIP(endpoint.host) === 0 ? { servername: endpoint.host } : {}),
      ...(material === undefined ? {} : { secureContext: material.context }),
      // Looked at below; nothing is sent to a server that is not the right one.
      rejectUnauthorized: false,
      ALPNProtocols: ['http/1.1'],
    });
    const end = (result: tls.TLSSocket | Probe) => {
      clearTimeout(timer);
      secured.removeAllListeners();
      secured.on('error', () => undefined);
      resolve(result);
    };
    const timer = setTimeout(
      () => end({ found: 'silent', reason: 'it took the TCP connection and did not answer the TLS handshake' }),
      remainingMs(deadlineMs),
    );
    secured.once('error', (error: NodeJS.ErrnoException) => end(tlsProbe(error, material)));
    secured.once('close', () => end({ found: 'tls-failed', reason: closedEarly }));
    secured.once('secureConnect', () => {
      const problem = secured.authorized ? undefined : serverProblem(secured);
      end(problem ?? secured);
    });
  });
}

/** Whether a port answers a TLS greeting, be it by an alert. */
async function speaksTls(endpoint: Endpoint, deadlineMs: number): Promise<boolean> {
  const connection = await connect(endpoint, deadlineMs);
  if ('found' in connection) return false;
  const answer = await secure(endpoint, connection, undefined, deadlineMs);
  connection.destroy();
  if (!('found' in answer)) return true;
  return answer.found !== 'silent' && answer.found !== 'tls-not-spoken' && answer.reason !== closedEarly;
}

/** Whether a port answers a plain request. */
async function speaksHttp(endpoint: Endpoint, deadlineMs: number): Promise<boolean> {
  const connection = await connect(endpoint, deadlineMs);
  if ('found' in connection) return false;
  const answer = await greet({ ...endpoint, secure: false }, connection, undefined, deadlineMs);
  return answer.found === 'etcd' || (answer.found === 'not-etcd' && answer.reason !== hungUp);
}

/** Why the server's certificate is not accepted. */
function serverProblem(secured: tls.TLSSocket): Probe {
  // Declared as an Error, but Node puts the code there as a text.
  const given: unknown = secured.authorizationError;
  const code = given instanceof Error ? (errorCode(given) ?? given.message) : String(given);
  const certificate = secured.getPeerCertificate();
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return { found: 'tls-wrong-name', reason: certificate.subjectaltname ?? 'it names no host at all' };
  }
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    const text = outOfDateText(certificate.valid_from, certificate.valid_to);
    return { found: 'tls-server-out-of-date', reason: text ?? `a certificate of its chain is out of date (${code})` };
  }
  if (unknownCaCodes.has(code)) return { found: 'tls-unknown-ca', reason: code };
  return { found: 'tls-failed', reason: code };
}

const unknownCaCodes: ReadonlySet<string> = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'INVALID_CA',
]);

/** What an error of the TLS layer says: alerts of the server, or no TLS at all. */
export function tlsProbe(error: NodeJS.ErrnoException, material: TlsMaterial | undefined): Probe {
  const code = errorCode(error) ?? '';
  const reason = code === '' ? error.message : code;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return { found: 'tls-wrong-name', reason: error.message };
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') return { found: 'tls-server-out-of-date', reason };
  if (unknownCaCodes.has(code)) return { found: 'tls-unknown-ca', reason };
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST|UNSUPPORTED_PROTOCOL_DETECTED/.test(code)) {
    return { found: 'tls-not-spoken', reason };
  }
  // Alerts 42 to 48 and 116. Go before 1.20 answers a missing client certificate with bad_certificate too.
  if (
    /ALERT_(?:BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_\w+|UNKNOWN_CA|HANDSHAKE_FAILURE)|ALERT_NUMBER_(?:4[2-8]|116)/.test(
      code,
    )
  ) {
    if (material?.hasClientCertificate !== true) return { found: 'tls-client-cert-required', reason };
    return { found: 'tls-client-cert-refused', reason: material.clientOutOfDate ?? reason };
  }
  return { found: 'tls-failed', reason: code === 'ECONNRESET' ? closedEarly : reason };
}

function greet(
  endpoint: Endpoint,
  socket: net.Socket,
  material: TlsMaterial | undefined,
  deadlineMs: number,
): Promise<Probe> {
  return new Promise((resolve) => {
    let answer = '';
    const end = (probe: Probe) => {
      clearTimeout(timer);
      socket.removeAllListeners();
      socket.on('error', () => undefined);
      socket.destroy();
      resolve(probe);
    };
    const judge = () => end(greetingProbe(answer));
    const timer = setTimeout(
      () =>
        end(
          answer === ''
            ? { found: 'silent', reason: 'it took the connection and did not answer a request' }
            : greetingProbe(answer),
        ),
      remainingMs(deadlineMs),
    );
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString('latin1');
      if (answer.length > maxAnswerBytes || !answer.startsWith('HTTP/'.slice(0, answer.length))) judge();
    });
    socket.once('end', judge);
    socket.once('close', judge);
    // With TLS 1.3 the server judges our certificate only after the handshake: its alert arrives here.
    socket.once('error', (error: NodeJS.ErrnoException) =>
      end(endpoint.secure ? tlsProbe(error, material) : { found: 'not-etcd', reason: hungUp }),
    );
    socket.write(`GET /version HTTP/1.1\r\nHost: ${endpoint.authority}\r\nConnection: close\r\n\r\n`);
  });
}

function greetingProbe(answer: string): Probe {
  // A TLS record of type alert: the port speaks TLS and does not understand us.
  if (/^\x15\x03/.test(answer) || /HTTP request to an HTTPS server/.test(answer)) {
    return { found: 'tls-needed', reason: 'the port speaks TLS' };
  }
  const version = /"etcdserver":\s*"([^"]{1,32})"/.exec(answer)?.[1];
  if (version !== undefined) return { found: 'etcd', version, reason: `etcd ${version}` };
  const firstLine = answer.split('\r\n', 1)[0]?.slice(0, 80) ?? '';
  return { found: 'not-etcd', reason: firstLine === '' ? hungUp : firstLine };
}

export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

export function remainingMs(deadlineMs: number): number {
  return Math.max(1, deadlineMs - Date.now());
}
