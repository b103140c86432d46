/**
 * The forms of single values in the inventory: a pattern, the rule in words and a way to a corrected form.
 * The patterns stand in the published JSON Schema as well, so that an editor and netctl give the same verdict.
 */
export interface Form {
  readonly pattern: RegExp;
  /** Follows the offending value: `"10.1.0.0" is not …`. */
  readonly rule: string;
  readonly example: string;
  /** What was probably meant; only taken when it has the right form. */
  readonly corrected?: (value: string) => string;
}

/** The corrected form of a value, or one of the right form to go by. */
export function suggestForm(form: Form, value: string): string {
  const corrected = form.corrected?.(value.trim());
  return corrected !== undefined && corrected !== value && form.pattern.test(corrected)
    ? corrected
    : `something like ${form.example}`;
}

const octet = '(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])';
const ipv4 = `(?:${octet}\\.){3}${octet}`;
const ipv4Length = '(?:3[0-2]|[12]?[0-9])';
// Loose on purpose: what exactly is an IPv6 address is decided by net/ipv6.
const ipv6 = '[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?::?[0-9.]{7,15})?';
const ipv6Length = '(?:12[0-8]|1[01][0-9]|[1-9]?[0-9])';
const dnsLabel = '[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?';
// Digits and dots alone are a mistyped address, never a name.
const hostName = `(?![0-9.]+(?:$|[:/,]))${dnsLabel}(?:\\.${dnsLabel}){0,32}\\.?`;
const port = '(?:6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})';
const sshUser = '[^\\s:@,\\u0000-\\u001f-][^\\s:@,\\u0000-\\u001f]{0,127}';
const hop = `(?:${sshUser}@)?(?:${ipv4}|\\[${ipv6}\\]|${hostName})(?::${port})?`;
const endpoint = `(?:https?://)?(?:${ipv4}|\\[${ipv6}\\]|${hostName}):${port}/?`;

const whole = (...alternatives: readonly string[]): RegExp => new RegExp(`^(?:${alternatives.join('|')})$`);

export const forms = {
  ipv4: {
    pattern: whole(ipv4),
    rule: 'is not an IPv4 address: four numbers of 0 to 255 without leading zeros',
    example: '10.1.1.0',
    corrected: (value) => value.replace(/\/[0-9]+$/, '').replace(/(^|\.)0+(?=[0-9])/g, '$1'),
  },
  ipv4Cidr: {
    pattern: whole(`${ipv4}/${ipv4Length}`),
    rule: 'is not an IPv4 range: ADDRESS/LENGTH with a length of 0 to 32',
    example: '10.1.0.0/16',
    corrected: correctedCidr,
  },
  ipv6: {
    pattern: whole(ipv6),
    rule: 'is not an IPv6 address',
    example: 'fc00::10',
  },
  ipv6Cidr: {
    pattern: whole(`${ipv6}/${ipv6Length}`),
    rule: 'is not an IPv6 range: ADDRESS/LENGTH with a length of 0 to 128',
    example: 'fc00::/48',
  },
  anyCidr: {
    pattern: whole(`${ipv4}/${ipv4Length}`, `${ipv6}/${ipv6Length}`),
    rule: 'is not a range of addresses: ADDRESS/LENGTH',
    example: '192.168.0.0/16',
    corrected: correctedCidr,
  },
  address: {
    pattern: whole(ipv4, ipv6, hostName),
    rule: 'is neither an IP address nor a host name (no scheme, no port, no user: those have keys of their own under ssh)',
    example: '10.4.7.21',
    corrected: (value) =>
      value
        .replace(/^[a-z]+:\/\//i, '')
        .replace(/^.*@/, '')
        .replace(/:[0-9]+$/, '')
        .trim(),
  },
  nodeName: {
    pattern: /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/,
    rule: 'is not a node name: letters, digits, dot, dash and underscore, with a letter or digit at both ends',
    example: 'node1',
    corrected: (value) =>
      value
        .replace(/[^A-Za-z0-9._-]+/g, '-')
        .replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '')
        .slice(0, 253),
  },
  label: {
    pattern: /^[A-Za-z0-9](?:[A-Za-z0-9._/=-]{0,61}[A-Za-z0-9])?$/,
    rule: 'is not a label: at most 63 letters, digits and . _ / = -, with a letter or digit at both ends',
    example: 'rack=2',
    corrected: (value) => value.replace(/[^A-Za-z0-9._/=-]+/g, '').replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, ''),
  },
  endpoint: {
    pattern: whole(endpoint),
    rule: 'is not an address of etcd: http://HOST:PORT or https://HOST:PORT without a path, IPv6 in brackets',
    example: 'http://10.4.7.12:2379',
    corrected: correctedEndpoint,
  },
  endpointList: {
    pattern: whole(`${endpoint}(?: ?, ?${endpoint}){0,63}`),
    rule: 'is not a list of etcd addresses: http://HOST:PORT with commas between them',
    example: 'http://10.4.7.12:2379,http://10.4.7.21:2379',
    corrected: (value) =>
      value
        .split(',')
        .map((part) => correctedEndpoint(part.trim()))
        .join(','),
  },
  prefix: {
    // flanneld compiles its prefix as a regular expression; a dot is harmless there, the rest is not.
    pattern: /^\/*[^\s/\\^$*+?()[\]{}|\u0000-\u001f\u007f][^\s\\^$*+?()[\]{}|\u0000-\u001f\u007f]{0,1000}$/,
    rule: 'cannot be a prefix: no blanks, and none of \\ ^ $ * + ? ( ) [ ] { } |, because flanneld reads it as a regular expression',
    example: '/coreos.com/network',
    corrected: (value) => value.replace(/[\s\\^$*+?()[\]{}|\u0000-\u001f\u007f]+/g, ''),
  },
  flannelVersion: {
    pattern: /^v?(?:0|[1-9][0-9]{0,3})\.(?:0|[1-9][0-9]{0,3})\.(?:0|[1-9][0-9]{0,3})(?:[-+][0-9A-Za-z.+-]{1,64})?$/,
    rule: 'is not a flannel release: MAJOR.MINOR.PATCH, with or without a v',
    example: 'v0.28.9',
    corrected: (value) => (/^v?[0-9]+\.[0-9]+$/.test(value) ? `${value}.0` : value.replace(/[^0-9A-Za-z.+-]/g, '')),
  },
  sha256: {
    pattern: /^[0-9A-Fa-f]{64}$/,
    rule: 'is not a SHA-256: 64 hexadecimal digits, as sha256sum prints them',
    example: '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef',
  },
  localPath: {
    pattern: /^[^\u0000-\u001f\u007f]{1,4096}$/,
    rule: 'is not a path: one line of text, not empty',
    example: 'certs/ca.pem',
  },
  nodePath: {
    pattern: /^\/[A-Za-z0-9._/@+-]{1,4000}$/,
    rule: 'is not a path on a node: absolute, of letters, digits and . _ / @ + -',
    example: '/opt/flannel',
    corrected: (value) => `/${value.replace(/[^A-Za-z0-9._/@+-]+/g, '').replace(/^\/+/, '')}`,
  },
  iface: {
    pattern: /^(?:[^\s/\u0000-\u001f-][^\s/\u0000-\u001f]{0,14}|[0-9A-Fa-f:]{2,39})$/,
    rule: 'is neither the name of an interface (at most 15 characters, no blank, no slash) nor one of its addresses',
    example: 'eth0',
  },
  expression: {
    pattern: /^[^\u0000-\u001f\u007f]{1,256}$/,
    rule: 'is not a regular expression on one line',
    example: '^10\\.4\\.7\\.',
  },
  sshUser: {
    pattern: whole(sshUser),
    rule: 'is not a user name: no blanks, no : @ or comma, no dash in front',
    example: 'admin',
    corrected: (value) =>
      value
        .replace(/@.*$/, '')
        .replace(/[\s:,]+/g, '')
        .replace(/^-+/, ''),
  },
  etcdUser: {
    pattern: /^[^:\u0000-\u001f\u007f]{1,256}$/,
    rule: 'is not an etcd user: the name alone, no colon',
    example: 'root',
    corrected: (value) => value.replace(/:.*$/s, '').replace(/[\u0000-\u001f\u007f]/g, ''),
  },
  jump: {
    pattern: whole(`${hop}(?:,${hop}){0,7}`),
    rule: 'is not a jump host: [USER@]HOST[:PORT], several with commas between them',
    example: 'admin@bastion.example:22',
  },
  unit: {
    pattern: /^[A-Za-z0-9][A-Za-z0-9:_.@-]{0,200}$/,
    rule: 'is not the name of a systemd unit',
    example: 'docker',
  },
  flagName: {
    pattern: /^[a-z][a-z0-9_-]{0,63}$/,
    rule: "is not one of flanneld's flags: the name alone, without dashes in front",
    example: 'iptables-resync',
    corrected: (value) =>
      value
        .replace(/^-+/, '')
        .replace(/=.*$/s, '')
        .toLowerCase()
        .replace(/[^a-z0-9_-]/g, ''),
  },
  flagValue: {
    pattern: /^[^\u0000-\u001f\u007f"'`$\\]{0,1000}$/,
    rule: 'cannot be the value of a flag: one line without quotes, $ and backslash, because it stands in an environment file',
    example: '10',
    corrected: (value) => value.replace(/[\u0000-\u001f\u007f"'`$\\]/g, ''),
  },
  optionName: {
    pattern: /^[A-Za-z][A-Za-z0-9]{0,63}$/,
    rule: "is not the name of a backend option: flannel's own spelling, such as VNI, Port or DirectRouting",
    example: 'DirectRouting',
    corrected: (value) => value.replace(/[^A-Za-z0-9]/g, '').replace(/^[0-9]+/, ''),
  },
  optionValue: {
    pattern: /^[^\u0000-\u001f\u007f]{0,1000}$/,
    rule: 'cannot be a backend option: one line of text',
    example: '8472',
    corrected: (value) => value.replace(/[\u0000-\u001f\u007f]/g, ''),
  },
} as const satisfies Readonly<Record<string, Form>>;

const byPattern: ReadonlyMap<string, Form> = new Map(Object.values(forms).map((form) => [String(form.pattern), form]));

/** The form that a failed pattern belongs to. */
export function formOf(pattern: string): Form | undefined {
  return byPattern.get(pattern);
}

function correctedCidr(value: string): string {
  const mask = /^([0-9.]+)\/(255(?:\.[0-9]{1,3}){3})$/.exec(value);
  if (mask !== null) {
    const ones = (mask[2] ?? '')
      .split('.')
      .map((part) => Number(part).toString(2))
      .join('')
      .replace(/0/g, '').length;
    return `${mask[1]}/${ones}`;
  }
  if (forms.ipv4.pattern.test(value)) {
    const zeros = /(?:\.0)+$/.exec(value)?.[0].length ?? 0;
    return `${value}/${zeros === 0 ? 32 : 32 - 4 * zeros}`;
  }
  const short = /^([0-9]+(?:\.[0-9]+){0,2})\/([0-9]+)$/.exec(value);
  if (short !== null) {
    const parts = (short[1] ?? '').split('.');
    while (parts.length < 4) parts.push('0');
    const padded = `${parts.join('.')}/${Number(short[2])}`;
    return padded;
  }
  return value.replace(/\/0+(?=[0-9])/, '/').replace(/(^|\.)0+(?=[0-9])/g, '$1');
}

/** The nearest endpoint to what was written; never holds a user or a password. */
export function correctedEndpoint(value: string): string {
  const match = /^(?:([a-z][a-z0-9+.-]*):\/\/)?(?:[^/@]*@)?([^/?#]*)/i.exec(value.trim());
  const scheme = match?.[1]?.toLowerCase() === 'https' ? 'https' : 'http';
  let host = match?.[2] ?? '';
  if (/^[0-9a-f:]*:[0-9a-f:]*:[0-9a-f:]*$/i.test(host)) host = `[${host}]`;
  if (host !== '' && !/:[0-9]+$/.test(host)) host = `${host.replace(/:$/, '')}:2379`;
  const corrected = `${scheme}://${host}`;
  return forms.endpoint.pattern.test(corrected) ? corrected : 'http://127.0.0.1:2379';
}
