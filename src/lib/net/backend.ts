import { type FlannelVersion, isAtLeast } from './flannel-version';
import {
  decodeStruct,
  type GoField,
  type GoJsonDocument,
  type GoJsonValue,
  goInteger,
  goString,
  plainValue,
  rawText,
} from './go-json';

/** `any`: a string or a list of strings (`RouteTableID`). */
export type BackendOptionKind = 'int' | 'bool' | 'string' | 'any';

export interface BackendOption {
  /** In the case of flannel's documentation; flanneld folds case. */
  readonly name: string;
  readonly kind: BackendOptionKind;
  /** The type in flanneld's error. */
  readonly goType: string;
  /** First release that reads it. */
  readonly since: string;
  /** What flanneld takes when it is absent. Null: the interface's MTU for `MTU`, nothing for the rest. */
  readonly default: string | number | boolean | null;
  readonly about: string;
  /** The only texts that flanneld takes. */
  readonly values?: readonly string[];
  /** Smallest and largest number that works. flanneld itself does not check them. */
  readonly range?: readonly [number, number];
  /** A password or key: must not be printed. */
  readonly secret?: true;
}

export interface BackendType {
  /** Lower-case, as flanneld registers it. */
  readonly type: string;
  /** First release that has it, `v0.8.0` for the oldest known. */
  readonly since: string;
  /** First release without it. */
  readonly removed: string | null;
  /** First release in which it carries IPv6; null for never. */
  readonly ipv6Since: string | null;
  /** Nodes must reach each other without a router between. */
  readonly needsAdjacency: boolean;
  /** Whether packets leave the node encapsulated. */
  readonly tunnel: boolean;
  /** How flanneld begins the error about a sub-key; null when it does not read sub-keys. */
  readonly decodeError: string | null;
  /** Fixed ports and protocols to let through between nodes, for people. */
  readonly firewall: string;
  readonly about: string;
  readonly options: readonly BackendOption[];
}

const oldest = 'v0.8.0';

function option(
  name: string,
  kind: BackendOptionKind,
  since: string,
  fallback: BackendOption['default'],
  about: string,
  more: Pick<BackendOption, 'values' | 'range' | 'secret'> & { readonly goType?: string } = {},
): BackendOption {
  const { goType, ...rest } = more;
  return {
    name,
    kind,
    goType: goType ?? (kind === 'any' ? 'interface {}' : kind),
    since,
    default: fallback,
    about,
    ...rest,
  };
}

const port: Pick<BackendOption, 'range'> = { range: [1, 65_535] };

/** Every backend of flannel v0.8.0 and later, with the sub-keys that its Linux build reads (flannel `backend/`). */
export const backendTypes: readonly BackendType[] = [
  {
    type: 'vxlan',
    since: oldest,
    removed: null,
    ipv6Since: 'v0.15.0',
    needsAdjacency: false,
    tunnel: true,
    decodeError: 'error decoding VXLAN backend config',
    firewall: 'UDP 8472, or Port',
    about: 'VXLAN tunnel in the kernel; the usual choice',
    options: [
      option('VNI', 'int', oldest, 1, 'VXLAN network identifier', { range: [0, 9_999_999] }),
      option('Port', 'int', oldest, 0, 'UDP port; 0 is the kernel default 8472', { range: [0, 65_535] }),
      option('GBP', 'bool', oldest, false, 'VXLAN group based policy'),
      option(
        'DirectRouting',
        'bool',
        'v0.9.0',
        false,
        'plain routes to nodes on the same segment, a tunnel to the rest',
      ),
      option('Learning', 'bool', 'v0.12.0', false, 'MAC learning on the device'),
      option('MTU', 'int', 'v0.21.3', null, 'MTU of the outer interface in bytes; 50 is subtracted', {
        range: [118, 65_535],
      }),
    ],
  },
  {
    type: 'host-gw',
    since: oldest,
    removed: null,
    ipv6Since: 'v0.15.0',
    needsAdjacency: true,
    tunnel: false,
    decodeError: null,
    firewall: 'none',
    about: 'plain routes through the other nodes; fastest, all nodes on one segment',
    options: [],
  },
  {
    type: 'wireguard',
    since: 'v0.16.0',
    removed: null,
    ipv6Since: 'v0.16.0',
    needsAdjacency: false,
    tunnel: true,
    decodeError: 'error decoding backend config',
    firewall: 'UDP 51820 and 51821, or ListenPort and ListenPortV6',
    about: 'encrypted tunnel in the kernel (Linux 5.6 or a module)',
    options: [
      option('ListenPort', 'int', 'v0.16.0', 51_820, 'UDP port for IPv4 peers', port),
      option('ListenPortV6', 'int', 'v0.16.0', 51_821, 'UDP port for IPv6 peers', port),
      option('PSK', 'string', 'v0.16.0', '', 'pre-shared key: 32 bytes in base64 (wg genpsk)', { secret: true }),
      option('PersistentKeepaliveInterval', 'int', 'v0.16.0', 0, 'seconds between keepalives, 0 for none', {
        goType: 'time.Duration',
        range: [0, 65_535],
      }),
      option('Mode', 'string', 'v0.18.0', 'separate', 'which tunnels a dual-stack node builds', {
        goType: 'wireguard.Mode',
        values: ['separate', 'auto', 'ipv4', 'ipv6'],
      }),
      option('MTU', 'int', 'v0.21.3', null, 'MTU of the outer interface in bytes; 80 is subtracted', {
        range: [148, 65_535],
      }),
    ],
  },
  {
    type: 'ipip',
    since: 'v0.10.0',
    removed: null,
    ipv6Since: null,
    needsAdjacency: false,
    tunnel: true,
    decodeError: 'error decoding IPIP backend config',
    firewall: 'IP protocol 4',
    about: 'IPv4 in IPv4; least overhead of the tunnels',
    options: [
      option(
        'DirectRouting',
        'bool',
        'v0.10.0',
        false,
        'plain routes to nodes on the same segment, a tunnel to the rest',
      ),
    ],
  },
  {
    type: 'ipsec',
    since: 'v0.11.0',
    removed: null,
    ipv6Since: null,
    needsAdjacency: false,
    tunnel: true,
    decodeError: 'error decoding IPSEC backend config',
    firewall: 'UDP 500 and 4500, IP protocol 50',
    about: 'encrypted tunnel by strongSwan',
    options: [
      option('UDPEncap', 'bool', 'v0.11.0', false, 'force UDP encapsulation'),
      option('ESPProposal', 'string', 'v0.11.0', 'aes128gcm16-sha256-prfsha256-ecp256', 'ESP proposal for strongSwan'),
      option('PSK', 'string', 'v0.11.0', '', 'pre-shared key, at least 96 characters', { secret: true }),
    ],
  },
  {
    type: 'udp',
    since: oldest,
    removed: null,
    ipv6Since: null,
    needsAdjacency: false,
    tunnel: true,
    decodeError: 'error decoding UDP backend config',
    firewall: 'UDP 8285, or Port',
    about: 'tunnel through a user-space process; slow, for debugging and very old kernels; amd64 only from v0.10.0',
    options: [option('Port', 'int', oldest, 8285, 'UDP port', port)],
  },
  {
    type: 'extension',
    since: oldest,
    removed: null,
    ipv6Since: 'v0.22.0',
    needsAdjacency: false,
    tunnel: false,
    decodeError: 'error decoding backend config',
    firewall: 'up to its commands',
    about: 'runs your own commands; for prototypes',
    options: [
      option('PreStartupCommand', 'string', oldest, '', 'before the lease is taken; its output is the lease data'),
      option('PostStartupCommand', 'string', oldest, '', 'after the lease is taken'),
      option('SubnetAddCommand', 'string', oldest, '', 'when another node appears'),
      option('SubnetRemoveCommand', 'string', oldest, '', 'when another node goes'),
    ],
  },
  {
    type: 'alloc',
    since: oldest,
    removed: null,
    ipv6Since: null,
    needsAdjacency: false,
    tunnel: false,
    decodeError: null,
    firewall: 'none',
    about: 'takes a lease and moves no packets',
    options: [],
  },
  {
    type: 'tencent-vpc',
    since: 'v0.14.0',
    removed: null,
    ipv6Since: null,
    needsAdjacency: false,
    tunnel: false,
    decodeError: 'error decoding VPC backend config',
    firewall: 'none',
    about: 'routes in a Tencent Cloud VPC',
    options: [
      option('AccessKeyID', 'string', 'v0.14.0', '', 'or ACCESS_KEY_ID in the environment'),
      option('AccessKeySecret', 'string', 'v0.14.0', '', 'or ACCESS_KEY_SECRET in the environment', { secret: true }),
    ],
  },
  {
    type: 'ali-vpc',
    since: oldest,
    removed: 'v0.20.0',
    ipv6Since: null,
    needsAdjacency: false,
    tunnel: false,
    decodeError: 'error decoding VPC backend config',
    firewall: 'none',
    about: 'routes in an Alibaba Cloud VPC',
    options: [
      option('AccessKeyID', 'string', oldest, '', 'or ACCESS_KEY_ID in the environment'),
      option('AccessKeySecret', 'string', oldest, '', 'or ACCESS_KEY_SECRET in the environment', { secret: true }),
    ],
  },
  {
    type: 'aws-vpc',
    since: oldest,
    removed: 'v0.20.0',
    ipv6Since: null,
    needsAdjacency: false,
    tunnel: false,
    decodeError: 'error decoding VPC backend config',
    firewall: 'none',
    about: 'routes in an Amazon VPC',
    options: [option('RouteTableID', 'any', oldest, null, 'route table, or a list of them; found out when absent')],
  },
  {
    type: 'gce',
    since: oldest,
    removed: 'v0.20.0',
    ipv6Since: null,
    needsAdjacency: false,
    tunnel: false,
    decodeError: null,
    firewall: 'none',
    about: 'routes in Google Compute Engine',
    options: [],
  },
];

const byType = new Map(backendTypes.map((backend) => [backend.type, backend]));

/** The backend of this name in any release; case is folded as flanneld does, blanks are not trimmed. */
export function backendOf(type: string): BackendType | undefined {
  return byType.get(type.toLowerCase());
}

/** Does this release have the backend? */
export function isAvailable(backend: BackendType, version: FlannelVersion): boolean {
  return isAtLeast(version, backend.since) && (backend.removed === null || !isAtLeast(version, backend.removed));
}

/** Backends of a release, in the order of preference. */
export function backendsOf(version: FlannelVersion): readonly BackendType[] {
  return backendTypes.filter((backend) => isAvailable(backend, version));
}

/** Sub-keys that a release reads. */
export function optionsOf(backend: BackendType, version: FlannelVersion): readonly BackendOption[] {
  return backend.options.filter((option) => isAtLeast(version, option.since));
}

/** Does the backend carry IPv6 in this release? */
export function carriesIpv6(backend: BackendType, version: FlannelVersion): boolean {
  return backend.ipv6Since !== null && isAtLeast(version, backend.ipv6Since);
}

/** Shortest `PSK` that the ipsec backend takes. */
const ipsecPskLength = 96;

/** Bytes that a backend's header takes from each packet. */
export function mtuOverhead(type: string, options: Readonly<Record<string, unknown>> = {}): number {
  switch (type) {
    case 'udp':
      return 28;
    case 'vxlan':
      return 50;
    case 'ipip':
      return 20;
    case 'wireguard':
      return 80;
    case 'ipsec':
      return options['UDPEncap'] === true ? 85 : 77;
    default:
      return 0;
  }
}

/** `FLANNEL_MTU` of subnet.env for an interface of this MTU (flannel-spec 2.11). `options` in documented case. */
export function subnetEnvMtu(
  backend: { readonly type: string; readonly options: Readonly<Record<string, unknown>> },
  interfaceMtu: number,
  version: FlannelVersion,
): number {
  const { type, options } = backend;
  // An explicit MTU of 0 is taken literally by flanneld.
  const given =
    (type === 'vxlan' || type === 'wireguard') && isAtLeast(version, 'v0.21.3') ? options['MTU'] : undefined;
  const outer = typeof given === 'number' ? given : interfaceMtu;
  return outer - mtuOverhead(type, options);
}

/** What flanneld makes of the Backend value when it registers the network. */
export interface BackendVerdict {
  /** flanneld's error, with which it exits 1; null when it goes on. */
  readonly error: string | null;
  /** The option whose value is wrong, in documented case, and the byte offset of that value. */
  readonly option: string | null;
  readonly offset: number | null;
  /** Sub-keys of this release in documented case, given or default. */
  readonly options: Readonly<Record<string, unknown>>;
}

/**
 * Reads the sub-keys as RegisterNetwork of this release does.
 * @param value the Backend value; absent when the config has none
 */
export function judgeBackend(
  backend: BackendType,
  document: GoJsonDocument,
  value: GoJsonValue | undefined,
  version: FlannelVersion,
): BackendVerdict {
  const known = optionsOf(backend, version);
  const options: Record<string, unknown> = Object.fromEntries(known.map((option) => [option.name, option.default]));
  if (value === undefined || backend.decodeError === null) return { error: null, option: null, offset: null, options };
  const { struct, fields } = goStructOf(backend, known, version);
  const { assignments, mismatch } = decodeStruct(document, value, fields, struct, struct === '' ? 'struct' : struct);
  const documented = (name: string) =>
    known.find((option) => option.name.toLowerCase() === name.toLowerCase())?.name ?? name;
  if (mismatch !== null) {
    const option = mismatch.field === undefined ? null : documented(mismatch.field.name);
    return { error: `${backend.decodeError}: ${mismatch.error}`, option, offset: mismatch.offset, options };
  }
  const offsets = new Map<string, number>();
  for (const { field, member } of assignments) {
    const name = documented(field.name);
    offsets.set(name, member.value.start);
    // In Go a null changes nothing, but for an interface{}, which it empties.
    if (member.value.kind === 'null') {
      if (field.kind === 'any') options[name] = null;
      continue;
    }
    options[name] = optionValue(document, field, member.value);
  }
  const wrong = registerError(backend.type, options, version);
  if (wrong === null) return { error: null, option: null, offset: null, options };
  return { ...wrong, offset: offsets.get(wrong.option) ?? null, options };
}

function goStructOf(
  backend: BackendType,
  known: readonly BackendOption[],
  version: FlannelVersion,
): { readonly struct: string; readonly fields: readonly GoField[] } {
  // v0.27.4 named the struct and gave its fields lower-case tags; keys still fold, only the error's words changed.
  const named = backend.type === 'vxlan' && isAtLeast(version, 'v0.27.4');
  return {
    struct: named ? 'VXLANConfig' : backend.type === 'aws-vpc' ? 'backendConfig' : '',
    fields: known.map(({ name, kind, goType }) => ({ name: named ? taggedName(name) : name, kind, goType })),
  };
}

function taggedName(name: string): string {
  return name === 'DirectRouting' ? 'directRouting' : name.toLowerCase();
}

function optionValue(document: GoJsonDocument, field: GoField, value: GoJsonValue): unknown {
  switch (value.kind) {
    case 'bool':
      return value.truth;
    case 'string':
      return goString(document, value);
    case 'number':
      return Number(field.kind === 'int' ? goInteger(rawText(document, value), 'int') : rawText(document, value));
    case 'null':
    case 'array':
    case 'object':
      return plainValue(document, value);
    default:
      return value satisfies never;
  }
}

/** The checks that the backends make themselves after decoding. */
function registerError(
  type: string,
  options: Readonly<Record<string, unknown>>,
  version: FlannelVersion,
): { readonly option: string; readonly error: string } | null {
  switch (type) {
    case 'ipsec': {
      const psk = options['PSK'];
      // Go counts bytes, not characters.
      if (typeof psk === 'string' && Buffer.byteLength(psk) >= ipsecPskLength) return null;
      return { option: 'PSK', error: 'config error, password is too short' };
    }
    case 'wireguard': {
      const mode = options['Mode'];
      const modes = ['separate', 'auto', 'ipv4', 'ipv6'];
      if (mode !== undefined && !(typeof mode === 'string' && modes.includes(mode))) {
        const error = isAtLeast(version, 'v0.21.0') ? 'no valid Mode configured' : 'No valid Mode configured';
        return { option: 'Mode', error };
      }
      const psk = options['PSK'];
      const wrong = typeof psk === 'string' && psk !== '' ? wireguardKeyError(psk) : null;
      return wrong === null ? null : { option: 'PSK', error: `could not parse psk: ${wrong}` };
    }
    case 'aws-vpc': {
      const table = options['RouteTableID'];
      if (table === null || table === undefined || typeof table === 'string') return null;
      if (!Array.isArray(table)) {
        return { option: 'RouteTableID', error: 'Unexpected RouteTableID type. Must be string or array of strings.' };
      }
      if (table.every((entry) => typeof entry === 'string')) return null;
      return { option: 'RouteTableID', error: 'Unexpected type in RouteTableID slice. Must be strings.' };
    }
    default:
      return null;
  }
}

/** As wgtypes.ParseKey: standard base64 with padding (line breaks are skipped) of 32 bytes. */
function wireguardKeyError(key: string): string | null {
  const text = key.replace(/[\r\n]/g, '');
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0 || text.length === 0) {
    const stranger = text.search(/[^A-Za-z0-9+/]/);
    const at = stranger < 0 ? text.length : stranger;
    return `wgtypes: failed to parse base64-encoded key: illegal base64 data at input byte ${at}`;
  }
  const size = Buffer.from(text, 'base64').length;
  return size === 32 ? null : `wgtypes: incorrect key size: ${size}`;
}

/** The options with passwords and keys replaced by a word, for everything that is printed. */
export function withoutSecrets(
  type: string,
  options: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const secrets = new Set(backendOf(type)?.options.flatMap((option) => (option.secret ? [option.name] : [])));
  return Object.fromEntries(
    Object.entries(options).map(([name, value]) => [name, secrets.has(name) && value !== '' ? '(hidden)' : value]),
  );
}
