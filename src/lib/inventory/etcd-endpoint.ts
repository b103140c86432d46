import { correctedEndpoint, forms } from './forms';

/** An address of etcd, taken apart. */
export interface Endpoint {
  /** As written; absent in `10.0.0.1:2379`. */
  readonly scheme?: 'http' | 'https';
  /** `host:port`, IPv6 in brackets. */
  readonly authority: string;
}

/** Why a text is not an address of etcd. Neither field holds a user or a password. */
export interface EndpointFault {
  readonly reason: string;
  readonly corrected: string;
}

/** Reads `http://h:2379`, `https://h:2379/`, `h:2379`, `[::1]:2379`. */
export function readEndpoint(text: string): Endpoint | EndpointFault {
  const trimmed = text.trim();
  const corrected = correctedEndpoint(trimmed);
  if (trimmed === '') return { reason: 'is empty', corrected };
  if (/[^/]*@/.test(trimmed.replace(/^[a-z][a-z0-9+.-]*:\/\//i, ''))) {
    return { reason: 'carries a user (hidden here); user and password are given apart', corrected };
  }
  const match = /^(?:(https?):\/\/)?([^/]*)\/?$/i.exec(trimmed);
  if (match === null || !forms.endpoint.pattern.test(trimmed.toLowerCase())) {
    return { reason: reasonOf(trimmed), corrected };
  }
  const authority = (match[2] ?? '').toLowerCase();
  const scheme = match[1]?.toLowerCase();
  if (scheme === 'http' || scheme === 'https') return { scheme, authority };
  return { authority };
}

function reasonOf(text: string): string {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme !== undefined && scheme !== 'http' && scheme !== 'https') return 'has a scheme other than http and https';
  const rest = text.replace(/^https?:\/\//i, '');
  if (/[/?#]./.test(rest)) return 'has a path; etcd is addressed by scheme, host and port alone';
  if (/^[0-9a-f:]*:[0-9a-f:]*:[0-9a-f:.]*$/i.test(rest)) return 'is IPv6 without brackets around the address';
  if (/^[^:]+$/.test(rest) || /^\[[^\]]*\]$/.test(rest)) return 'has no port';
  return 'is not HOST:PORT with a port of 1 to 65535';
}
