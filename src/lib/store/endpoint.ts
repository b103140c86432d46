import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { createSecureContext, type SecureContext } from 'node:tls';
import { InvalidInput } from '../errors';
import type { StoreOptions } from './store';

/** An address of etcd, taken apart. */
export interface Endpoint {
  /** As people write it: `https://10.0.0.1:2379`. The name of the endpoint in every message. */
  readonly url: string;
  readonly secure: boolean;
  /** A name or an address, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  /** `host:port`, IPv6 in brackets. */
  readonly authority: string;
}

/** Certificates that were read, fit together, and please OpenSSL. */
export interface TlsMaterial {
  readonly context: SecureContext;
  readonly hasClientCertificate: boolean;
  /** When our own certificate is no longer, or not yet, valid: the limit that it broke. */
  readonly clientOutOfDate?: string;
}

/**
 * @throws InvalidInput `etcd-endpoint-invalid`. Without a scheme it is https when certificates were given, else http, as
 *   etcdctl reads `ETCDCTL_ENDPOINTS`.
 */
function parseEndpoint(text: string, hasCertificates: boolean): Endpoint {
  const match = /^(?:(https?):\/\/)?(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(\d{1,5}))?\/?$/i.exec(text.trim());
  const name = match?.[2];
  const port = Number(match?.[3]);
  const host = name?.replace(/^\[|\]$/g, '');
  const scheme = match?.[1]?.toLowerCase() ?? (hasCertificates ? 'https' : 'http');
  if (
    name === undefined ||
    host === undefined ||
    (name.startsWith('[') && isIP(host) !== 6) ||
    !(port >= 1 && port <= 65535)
  ) {
    const corrected =
      name === undefined || port > 0 ? 'http://10.0.0.1:2379 or https://etcd.example:2379' : `${scheme}://${name}:2379`;
    throw new InvalidInput({
      code: 'etcd-endpoint-invalid',
      message: `etcd endpoint ${JSON.stringify(text)}: an endpoint is scheme://host:port, without a path`,
      next: [`Write ${corrected}`],
    });
  }
  const authority = `${name}:${port}`;
  return { url: `${scheme}://${authority}`, secure: scheme === 'https', host, port, authority };
}

export function endpointsOf(options: StoreOptions): readonly [Endpoint, ...Endpoint[]] {
  const hasCertificates = options.ca !== undefined || options.cert !== undefined;
  const [first, ...rest] = options.endpoints;
  return [parseEndpoint(first, hasCertificates), ...rest.map((text) => parseEndpoint(text, hasCertificates))];
}

/**
 * Looks at the certificates before anything is dialled: OpenSSL's own words ("PEM routines::no start line") name no file.
 * Undefined when no endpoint is https: certificates are then not looked at.
 * @throws InvalidInput `etcd-pem-invalid`, `etcd-tls-material`, `etcd-key-encrypted`, `etcd-key-mismatch`, `etcd-cert-without-key`
 */
export function tlsMaterial(options: StoreOptions, endpoints: readonly Endpoint[]): TlsMaterial | undefined {
  if (!endpoints.some((endpoint) => endpoint.secure)) return undefined;
  const ca = options.ca === undefined ? undefined : Buffer.from(options.ca);
  const cert = options.cert === undefined ? undefined : Buffer.from(options.cert);
  const key = options.key === undefined ? undefined : Buffer.from(options.key);
  if (ca !== undefined) certificates(ca, 'CA');
  if ((cert === undefined) !== (key === undefined)) {
    throw new InvalidInput({
      code: 'etcd-cert-without-key',
      message: `A client ${cert === undefined ? 'key was given without its certificate' : 'certificate was given without its key'}; etcd needs both or none`,
      next: ['Give both: --etcd-cert FILE --etcd-key FILE'],
    });
  }
  const trust = ca === undefined ? {} : { ca };
  if (cert === undefined || key === undefined) return { context: contextOf(trust), hasClientCertificate: false };
  const [own] = certificates(cert, 'client certificate');
  if (own === undefined || !own.checkPrivateKey(privateKey(key))) {
    throw new InvalidInput({
      code: 'etcd-key-mismatch',
      message: `The client key does not belong to the client certificate (${subjectOf(own)})`,
      next: [
        'Compare: openssl x509 -in CERT -noout -pubkey | sha256sum and openssl pkey -in KEY -pubout | sha256sum print the same.',
      ],
    });
  }
  const outOfDate = outOfDateText(own.validFrom, own.validTo);
  return {
    context: contextOf({ ...trust, cert, key }),
    hasClientCertificate: true,
    ...(outOfDate === undefined ? {} : { clientOutOfDate: outOfDate }),
  };
}

function contextOf(pem: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer }): SecureContext {
  try {
    return createSecureContext(pem);
  } catch (error) {
    // Keys that are too short, digests that are no longer taken.
    const said = error instanceof Error ? error.message : String(error);
    throw new InvalidInput({
      code: 'etcd-tls-material',
      message: `OpenSSL does not take the certificates for etcd: ${said}`,
      next: ['Make them anew, with RSA of 2048 bits or more, or ECDSA, and SHA-256.'],
      cause: error,
    });
  }
}

/** Why a certificate is not valid today; undefined when it is. */
export function outOfDateText(validFrom: string, validTo: string): string | undefined {
  if (Date.parse(validTo) < Date.now()) return `it expired on ${validTo}`;
  if (Date.parse(validFrom) > Date.now()) return `it is not valid before ${validFrom}`;
  return undefined;
}

function subjectOf(certificate: X509Certificate | undefined): string {
  return certificate === undefined ? 'none' : certificate.subject.split('\n').join(', ');
}

function certificates(pem: Buffer, what: string): readonly X509Certificate[] {
  const blocks =
    pem.toString('latin1').match(/-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]*-----END [A-Z0-9 ]+-----/g) ?? [];
  try {
    if (blocks.length > 0) return blocks.map((block) => new X509Certificate(block));
  } catch {
    // The message below says it.
  }
  throw pemInvalid(what, 'BEGIN CERTIFICATE', pem);
}

function privateKey(pem: Buffer): KeyObject {
  const text = pem.toString('latin1');
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: 4,ENCRYPTED/.test(text)) {
    throw new InvalidInput({
      code: 'etcd-key-encrypted',
      message: 'The client key is protected by a passphrase, which neither netctl nor flanneld can ask for',
      next: ['Take the passphrase off: openssl pkey -in KEY -out KEY.plain, and keep that file at mode 0600.'],
    });
  }
  try {
    return createPrivateKey(pem);
  } catch {
    throw pemInvalid('client key', 'BEGIN PRIVATE KEY', pem);
  }
}

function pemInvalid(what: string, expected: string, pem: Buffer): InvalidInput {
  // The first line of a key file is a label; nothing else of it may be shown.
  const label = /-----BEGIN [A-Z0-9 ]+-----/.exec(pem.toString('latin1'))?.[0];
  const found =
    pem.length === 0 ? 'it is empty' : label === undefined ? 'it holds no PEM block' : `it begins with ${label}`;
  return new InvalidInput({
    code: 'etcd-pem-invalid',
    message: `The ${what} for etcd cannot be read: ${found}; a PEM file with -----${expected}----- is needed`,
    next: [
      'Look at it: openssl x509 -in FILE -noout -subject -dates (certificates) or openssl pkey -in FILE -noout (keys).',
    ],
  });
}
