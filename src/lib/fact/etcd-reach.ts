import { answerText, whyFailed } from './answer-text';
import { type Fact, type Known, known, shellCommand, unknown } from './fact';
import { fieldOf, parseJsonAnswer, textIn } from './json-answer';

export interface EtcdReachOptions {
  /** `https://10.4.7.12:2379`, as flanneld gets them. */
  readonly endpoints: readonly string[];
  /** Paths on the node, those that flanneld will use. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

export interface EtcdReach {
  readonly endpoint: string;
  /**
   * With what it was tried. Without certificates (they are not on the node yet) a server that asks for one can only be found to be
   * there: `client-certificate` is then the best answer.
   */
  readonly with: 'certificates' | 'no-certificates';
  readonly tool: 'curl' | 'openssl' | 'bash';
  readonly outcome: EtcdOutcome;
}

export type EtcdOutcome =
  | {
      readonly kind: 'answered';
      /** `3.4.23`; null from what is no etcd. */
      readonly version: string | null;
      readonly isHealthy: boolean | null;
      /** Is the v2 API there, which flannel before v0.18 needs? */
      readonly servesV2: boolean | null;
    }
  /** The port is open; the tool could not ask more. */
  | { readonly kind: 'connected' }
  | {
      readonly kind:
        | 'refused'
        | 'no-route'
        | 'timeout'
        | 'name'
        | 'server-certificate'
        | 'client-certificate'
        | 'own-certificate'
        | 'tls'
        | 'failed';
      readonly why: string;
    };

/**
 * One line an endpoint, in the order in which they answer: number, what with, tool, exit code, then in base64 the answers to
 * /version, /health and a key of v2, and the error. All endpoints at a time, three seconds each.
 */
const script = `ca=$1 cert=$2 key=$3
shift 3
t() { if command -v timeout >/dev/null; then timeout 3 "$@"; else "$@"; fi; }
b() { head -c 2000 | base64 | tr -d '\\n'; }
w=certificates
for f in "$ca" "$cert" "$key"; do [ -z "$f" ] || [ -r "$f" ] || w=no-certificates; done
[ -n "$cert" ] || w=certificates
ask() {
n=$1 url=$2 host=$3 port=$4 tls=$5
if command -v curl >/dev/null; then
set -- -sS -m 3 --noproxy '*'
if [ $w = no-certificates ]; then set -- "$@" -k
else
[ -z "$ca" ] || set -- "$@" --cacert "$ca"
[ -z "$cert" ] || set -- "$@" --cert "$cert" --key "$key"
fi
v=$( { curl "$@" "$url/version"; } 2>&1 )
c=$?
[ $c != 7 ] || v=$(curl -v "$@" "$url/version" 2>&1 | sed -n 's/^\\* *\\(connect to .* failed:\\)/\\1/p' | tail -n 1)
if [ $c = 0 ]; then
h=$(curl "$@" "$url/health" 2>/dev/null | b)
k=$(curl "$@" "$url/v2/keys/netctl-look-for-v2" 2>/dev/null | b)
echo "$n $w curl 0 $(printf '%s' "$v" | b) $h $k -"
else echo "$n $w curl $c - - - $(printf '%s' "$v" | b)"
fi
elif [ $tls = 1 ] && command -v openssl >/dev/null; then
set -- -connect "$host:$port" -quiet
if [ $w = certificates ]; then
[ -z "$ca" ] || set -- "$@" -CAfile "$ca" -verify_return_error
[ -z "$cert" ] || set -- "$@" -cert "$cert" -key "$key"
fi
v=$( { printf 'GET /version HTTP/1.0\\r\\n\\r\\n'; sleep 1; } | t openssl s_client "$@" 2>&1)
c=$?
echo "$n $w openssl $c $(printf '%s' "$v" | tail -n 1 | b) - - $(printf '%s' "$v" | b)"
elif command -v bash >/dev/null; then
v=$(t bash -c 'exec 3<>"/dev/tcp/$1/$2"' bash "$host" "$port" 2>&1)
echo "$n $w bash $? - - - $(printf '%s' "$v" | b)"
fi
}
while [ $# -ge 5 ]; do
ask "$1" "$2" "$3" "$4" "$5" &
shift 5
done
wait`;

/** Which etcd endpoints answer, as seen from the node. An endpoint that is no http(s) URL of host and port is not asked. */
export function etcdReach(options: EtcdReachOptions): Fact<readonly EtcdReach[]> {
  const asked = options.endpoints.flatMap((endpoint) => {
    const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
    if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') return [];
    const isTls = url.protocol === 'https:';
    return [{ endpoint, origin: url.origin, host: url.hostname, port: url.port || (isTls ? '443' : '80'), isTls }];
  });
  return {
    name: `etcd-reach ${asked.map(({ endpoint }) => endpoint).join(' ')}`,
    command: {
      ...shellCommand(
        script,
        options.ca ?? '',
        options.cert ?? '',
        options.key ?? '',
        ...asked.flatMap(({ origin, host, port, isTls }, index) => [
          String(index),
          origin,
          host,
          port,
          isTls ? '1' : '0',
        ]),
      ),
      timeoutMs: 12_000,
      maxOutputBytes: 16_384 * Math.max(1, asked.length),
    },
    requires: { root: 'part', programs: [['curl', 'openssl', 'bash'], ['base64']] },
    parse(output): Known<readonly EtcdReach[]> {
      if (output.code !== 0) return whyFailed('sh', output);
      const found: (EtcdReach | undefined)[] = asked.map(() => undefined);
      for (const line of answerText(output.stdout).split('\n')) {
        const [number, w, tool, code, ...fields] = line.split(' ');
        const endpoint = asked[Number(number)]?.endpoint;
        if (endpoint === undefined || (tool !== 'curl' && tool !== 'openssl' && tool !== 'bash') || fields.length !== 4)
          continue;
        const [version = '', health = '', v2 = '', error = ''] = fields.map(textOf);
        found[Number(number)] = {
          endpoint,
          with: w === 'certificates' ? 'certificates' : 'no-certificates',
          tool,
          outcome: outcomeOf(tool, Number(code), endpoint.startsWith('https:'), { version, health, v2, error }),
        };
      }
      if (found.includes(undefined)) return unknown('the node has none of curl, openssl and bash to ask etcd with');
      return known(found.filter((reach) => reach !== undefined));
    },
  };
}

function textOf(base64: string): string {
  return base64 === '-' || !/^[A-Za-z0-9+/]*={0,2}$/.test(base64) ? '' : answerText(Buffer.from(base64, 'base64'));
}

function outcomeOf(
  tool: EtcdReach['tool'],
  code: number,
  isTls: boolean,
  { version, health, v2, error }: Readonly<Record<'version' | 'health' | 'v2' | 'error', string>>,
): EtcdOutcome {
  const release = versionIn(version);
  if (release !== undefined || (tool === 'curl' && code === 0)) {
    const isHealthy = fieldOf(parseJsonAnswer(health), 'health');
    return {
      kind: 'answered',
      version: release ?? null,
      isHealthy: isHealthy === undefined ? null : isHealthy === 'true' || isHealthy === true,
      // The error of a key that is not there comes from v2 itself; another 404 from a server without it.
      servesV2: v2 === '' ? null : fieldOf(parseJsonAnswer(v2), 'errorCode') !== undefined,
    };
  }
  if (tool === 'bash' && code === 0) return { kind: 'connected' };
  const isCurl = (...codes: readonly number[]): boolean => tool === 'curl' && codes.includes(code);
  if (code === 124 || isCurl(28)) return { kind: 'timeout', why: 'no answer within 3 s' };
  const why = whyIn(error) ?? `${tool} ended with exit code ${code}`;
  if (/refused/i.test(error)) return { kind: 'refused', why };
  if (/no route|network is unreachable|host is unreachable/i.test(error)) return { kind: 'no-route', why };
  if (isCurl(6) || /name or service not known|could not resolve/i.test(error)) return { kind: 'name', why };
  if (isCurl(58) || /could not (load|read) (client )?(certificate|private key)|key values mismatch/i.test(error)) {
    return { kind: 'own-certificate', why };
  }
  // With TLS 1.3 a server that wants a certificate lets the handshake end and then hangs up: 55 and 56 are send and receive.
  if (
    /alert (bad certificate|certificate (required|expired|unknown)|unknown ca|handshake failure)/i.test(error) ||
    (isTls && isCurl(55, 56))
  ) {
    return { kind: 'client-certificate', why };
  }
  if (isCurl(51, 60) || /verify error/i.test(error)) return { kind: 'server-certificate', why };
  // 52: a server of https hangs up on one who speaks http.
  if (isCurl(35) || (!isTls && isCurl(52)) || /ssl|tls/i.test(error)) return { kind: 'tls', why };
  return { kind: 'failed', why };
}

function versionIn(text: string): string | undefined {
  const version = textIn(parseJsonAnswer(text), 'etcdserver');
  return version !== undefined && /^[\w.+-]{1,64}$/.test(version) ? version : undefined;
}

/** The line that says why: of openssl's many lines the one with the error. */
function whyIn(error: string): string | undefined {
  const lines = error
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const line =
    [/alert/i, /verify error/i, /refused|unreachable|no route/i]
      .map((mark) => lines.find((text) => mark.test(text)))
      .find((text) => text !== undefined) ?? lines[0];
  return line?.replace(/^curl: \(\d+\) /, '').slice(0, 200);
}
