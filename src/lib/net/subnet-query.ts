import { InvalidInput } from '../errors';
import { cidrContains, cidrsOverlap, type Ipv4Cidr, parseIpv4Cidr } from './cidr';
import { formatIpv4, parseIpv4 } from './ipv4';
import { formatIpv6, parseIpv6, parseIpv6Cidr } from './ipv6';
import type { Lease } from './lease';
import { type NodeRef, publicIPOf } from './node-ref';

/** A lease with what is known of it from elsewhere: a row of `subnets ls`. */
export interface SubnetRow {
  readonly lease: Lease;
  /** Name of the node with this public IP; null when the inventory has none. */
  readonly node: string | null;
  /** Remaining seconds; null when permanent or not asked for. */
  readonly ttlSeconds: number | null;
  /** Codes of the problems of this lease. */
  readonly problems: readonly string[];
}

/** Why a lease was found. */
export type FoundBy = 'subnet' | 'address' | 'public-ip' | 'node';

export interface FoundLease {
  readonly lease: Lease;
  readonly by: FoundBy;
}

/**
 * The leases that a person means by SUBNET (`10.5.1.0/24`, or as in the key `10.5.1.0-24`), IP (an address in a subnet,
 * or a node's public IP) or NODE (a name of the inventory). All that fit, in the order given; empty when none does.
 * A subnet that no lease has exactly finds those that hold it or lie in it.
 * @throws InvalidInput `bad-subnet-query` when the text is none of the three
 */
export function findLeases(query: string, leases: readonly Lease[], nodes: readonly NodeRef[]): readonly FoundLease[] {
  const text = query.trim();
  const byNode = nodes.filter((node) => node.name === text);
  if (byNode.length > 0) {
    const addresses = addressesOf(byNode);
    return leases
      .filter((lease) => lease.publicIP !== null && addresses.has(lease.publicIP))
      .map((lease) => ({ lease, by: 'node' }));
  }
  const address = parseIpv4(text);
  if (address !== undefined) return findAddress(address, leases);
  const cidr = parseIpv4Cidr(text.replace(/-(\d{1,2})$/, '/$1'));
  if (cidr !== undefined) return findCidr(cidr, leases);
  const ipv6 = text.includes(':') ? findIpv6(text, leases) : undefined;
  if (ipv6 !== undefined) return ipv6;
  throw new InvalidInput({
    code: 'bad-subnet-query',
    message: `${JSON.stringify(query)} is not a subnet, an address or a node of the inventory`,
    details: nodes.length === 0 ? ['There is no inventory, or it has no nodes: nodes cannot be found by name.'] : [],
    next: [
      'Give a subnet (10.5.1.0/24), an address in one (10.5.1.17), a public IP (192.168.0.7) or the name of a node.',
    ],
  });
}

/** By which leases of these nodes are looked for. */
export function addressesOf(nodes: readonly NodeRef[]): ReadonlySet<string> {
  return new Set(nodes.flatMap((node) => [publicIPOf(node) ?? [], node.address ?? []].flat()));
}

function findAddress(address: number, leases: readonly Lease[]): readonly FoundLease[] {
  const text = formatIpv4(address);
  const found: FoundLease[] = [];
  for (const lease of leases) {
    if (cidrContains(lease.subnet, address)) found.push({ lease, by: 'address' });
    else if (lease.publicIP === text) found.push({ lease, by: 'public-ip' });
  }
  return found;
}

function findCidr(cidr: Ipv4Cidr & { readonly address: number }, leases: readonly Lease[]): readonly FoundLease[] {
  const exact = leases.filter((lease) => lease.subnet.base === cidr.base && lease.subnet.length === cidr.length);
  const hits = exact.length > 0 ? exact : leases.filter((lease) => cidrsOverlap(lease.subnet, cidr));
  return hits.map((lease) => ({ lease, by: 'subnet' }));
}

function findIpv6(text: string, leases: readonly Lease[]): readonly FoundLease[] | undefined {
  const cidr = parseIpv6Cidr(text.replace(/-(\d{1,3})$/, '/$1'));
  const address = cidr === undefined ? parseIpv6(text) : undefined;
  if (cidr === undefined && address === undefined) return undefined;
  const low = cidr?.base ?? address ?? 0n;
  const high = cidr === undefined ? low : low + (1n << BigInt(128 - cidr.length)) - 1n;
  const plain = address === undefined ? undefined : formatIpv6(address);
  const found: FoundLease[] = [];
  for (const lease of leases) {
    const own = lease.ipv6Subnet === null ? undefined : parseIpv6Cidr(lease.ipv6Subnet);
    const last = own === undefined ? 0n : own.base + (1n << BigInt(128 - own.length)) - 1n;
    if (own !== undefined && own.base <= high && low <= last) {
      found.push({ lease, by: cidr === undefined ? 'address' : 'subnet' });
    } else if (plain !== undefined && lease.publicIPv6 === plain) found.push({ lease, by: 'public-ip' });
  }
  return found;
}

export interface RowFilter {
  readonly test: (row: SubnetRow) => boolean;
  /** The filter looks at remaining time, which has to be asked of etcd. */
  readonly needsTtl: boolean;
  /** The filter looks at problems, which have to be checked first. */
  readonly needsProblems: boolean;
}

/** What `--filter` knows, for its help; one line each. */
export const filterHelp: readonly string[] = [
  'subnet=10.1.0.0/20     subnets in this range; an address finds its subnet; 10.1.* by pattern',
  'public-ip=10.4.7.0/24  owners in this range; an address; a pattern',
  'node=web*              name of the node, by pattern; node= is a lease that no node of the inventory owns',
  'backend=vxlan          type of the backend in the lease; backend= is a lease without one',
  'vtep-mac=0e:*          MAC address of the VXLAN device',
  'vni=1                  VXLAN network id',
  'expires<1h             time left: < <= > >= with 90s, 30m, 12h, 1d; permanent leases never match',
  'permanent              leases that do not expire; !permanent those that do',
  'problem                leases with a problem; problem=duplicate-public-ip with this one; !problem those without',
  'A comma means and, and so does a second --filter. != turns = around. * stands for any text, ? for one character.',
];

type RowTest = (row: SubnetRow) => boolean;

interface Term {
  readonly test: RowTest;
  readonly needsTtl?: boolean;
  readonly needsProblems?: boolean;
}

const fields = [
  'subnet',
  'public-ip',
  'node',
  'backend',
  'vtep-mac',
  'vni',
  'expires',
  'permanent',
  'problem',
] as const;
type Field = (typeof fields)[number];

/**
 * The test of one or several `--filter` expressions; a row passes when it passes all of them.
 * @throws InvalidInput `bad-filter`
 */
export function parseFilter(expressions: readonly string[]): RowFilter {
  const terms = expressions.flatMap((expression) => expression.split(',').map((term) => parseTerm(term, expression)));
  return {
    test: (row) => terms.every((term) => term.test(row)),
    needsTtl: terms.some((term) => term.needsTtl === true),
    needsProblems: terms.some((term) => term.needsProblems === true),
  };
}

function parseTerm(text: string, expression: string): Term {
  const match = /^\s*(!?)\s*([A-Za-z][A-Za-z0-9-]*)\s*(?:(!=|<=|>=|==|=|<|>)(.*))?$/s.exec(text);
  if (match === null) {
    throw badFilter(
      expression,
      `${JSON.stringify(text.trim())} is not a term; write FIELD=VALUE, FIELD!=VALUE or FIELD`,
    );
  }
  const [, bang = '', name = '', operator, rest] = match;
  const field = fields.find((candidate) => candidate === name.toLowerCase());
  if (field === undefined) {
    throw badFilter(expression, `there is no field ${JSON.stringify(name)}; the fields are ${fields.join(', ')}`);
  }
  if (bang !== '' && operator !== undefined) {
    throw badFilter(
      expression,
      `${JSON.stringify(text.trim())}: ! stands before a field without a value; write ${field}!=${(rest ?? '').trim()}`,
    );
  }
  const term =
    operator === undefined ? flagTerm(field, expression) : valueTerm(field, operator, (rest ?? '').trim(), expression);
  return bang === '' && operator !== '!=' ? term : { ...term, test: (row) => !term.test(row) };
}

function flagTerm(field: Field, expression: string): Term {
  switch (field) {
    case 'permanent':
      return { test: (row) => row.lease.permanent };
    case 'problem':
      return { test: (row) => row.problems.length > 0, needsProblems: true };
    case 'subnet':
    case 'public-ip':
    case 'node':
    case 'backend':
    case 'vtep-mac':
    case 'vni':
      throw badFilter(expression, `${field} needs a value: ${field}=${exampleOf[field]}`);
    case 'expires':
      throw badFilter(expression, 'expires needs a time: expires<1h');
    default:
      return field satisfies never;
  }
}

const exampleOf = {
  subnet: '10.1.0.0/20',
  'public-ip': '10.4.7.0/24',
  node: 'web*',
  backend: 'vxlan',
  'vtep-mac': '0e:*',
  vni: '1',
} as const;

function valueTerm(field: Field, operator: string, value: string, expression: string): Term {
  if (field === 'expires') return expiresTerm(operator, value, expression);
  if (operator !== '=' && operator !== '==' && operator !== '!=') {
    throw badFilter(expression, `${field} cannot be compared with ${operator}; only expires can`);
  }
  switch (field) {
    case 'subnet':
      return {
        test: rangeTest(
          value,
          field,
          expression,
          (row) => row.lease.subnetText,
          (row) => row.lease.subnet,
        ),
      };
    case 'public-ip':
      return { test: rangeTest(value, field, expression, (row) => row.lease.publicIP ?? '', publicRange) };
    case 'node':
      return { test: textTest(value, (row) => row.node ?? '') };
    case 'backend':
      return { test: textTest(value.toLowerCase(), (row) => row.lease.backendType?.toLowerCase() ?? '') };
    case 'vtep-mac':
      return { test: textTest(value.toLowerCase(), (row) => row.lease.vtepMac ?? '') };
    case 'vni': {
      if (!/^\d{1,10}$/.test(value)) throw badFilter(expression, `vni=${value}: the value is a whole number`);
      const vni = Number(value);
      return { test: (row) => row.lease.vni === vni };
    }
    case 'problem':
      return { test: anyTextTest(value, (row) => row.problems), needsProblems: true };
    case 'permanent': {
      const wanted = yesOrNo(value);
      if (wanted === undefined) throw badFilter(expression, 'write permanent or !permanent');
      return { test: (row) => row.lease.permanent === wanted };
    }
    default:
      return field satisfies never;
  }
}

function publicRange(row: SubnetRow): Ipv4Cidr | undefined {
  const address = row.lease.publicIP === null ? undefined : parseIpv4(row.lease.publicIP);
  return address === undefined ? undefined : { base: address, length: 32 };
}

function yesOrNo(value: string): boolean | undefined {
  if (value === 'true' || value === 'yes') return true;
  return value === 'false' || value === 'no' ? false : undefined;
}

/** A range holds what lies in it, an address is held by its range, and all else is a pattern over the text. */
function rangeTest(
  value: string,
  field: Field,
  expression: string,
  textOf: (row: SubnetRow) => string,
  rangeOf: (row: SubnetRow) => Ipv4Cidr | undefined,
): RowTest {
  const address = parseIpv4(value);
  const cidr = address === undefined ? parseIpv4Cidr(value) : { base: address, length: 32 };
  if (cidr === undefined) {
    if (/[*?]/.test(value) || value === '') return textTest(value, textOf);
    throw badFilter(
      expression,
      `${field}=${value}: the value is an address, a range such as 10.4.7.0/24, or a pattern such as 10.4.*`,
    );
  }
  return (row) => {
    const range = rangeOf(row);
    return (
      range !== undefined && (cidrContains(cidr, range) || (address !== undefined && cidrContains(range, address)))
    );
  };
}

const secondsPer = { s: 1, m: 60, h: 3600, d: 86_400 } as const;

function expiresTerm(operator: string, value: string, expression: string): Term {
  const match = /^(\d{1,7}(?:\.\d{1,3})?)([smhd])$/.exec(value.toLowerCase());
  const unit = match?.[2];
  if (match === null || (unit !== 's' && unit !== 'm' && unit !== 'h' && unit !== 'd')) {
    throw badFilter(expression, `expires${operator}${value}: the time is a number with a unit: 90s, 30m, 12h or 1d`);
  }
  const seconds = Number(match[1]) * secondsPer[unit];
  const compare = comparison(operator);
  if (compare === undefined) throw badFilter(expression, `expires is compared with <, <=, > or >=: expires<${value}`);
  return { test: (row) => row.ttlSeconds !== null && compare(row.ttlSeconds, seconds), needsTtl: true };
}

function comparison(operator: string): ((left: number, right: number) => boolean) | undefined {
  switch (operator) {
    case '<':
      return (left, right) => left < right;
    case '<=':
      return (left, right) => left <= right;
    case '>':
      return (left, right) => left > right;
    case '>=':
      return (left, right) => left >= right;
    default:
      return undefined;
  }
}

function textTest(pattern: string, textOf: (row: SubnetRow) => string): RowTest {
  const matches = globTest(pattern);
  return (row) => matches(textOf(row));
}

function anyTextTest(pattern: string, textsOf: (row: SubnetRow) => readonly string[]): RowTest {
  const matches = globTest(pattern);
  return (row) => textsOf(row).some(matches);
}

/** `*` any text, `?` one character, all else itself. By hand: an expression with many stars must not take exponential time. */
function globTest(pattern: string): (text: string) => boolean {
  if (!/[*?]/.test(pattern)) return (text) => text === pattern;
  return (text) => {
    let p = 0;
    let star = -1;
    let restart = 0;
    for (let t = 0; t < text.length; ) {
      if (p < pattern.length && pattern[p] !== '*' && (pattern[p] === '?' || pattern[p] === text[t])) {
        p += 1;
        t += 1;
      } else if (pattern[p] === '*') {
        star = p;
        restart = t;
        p += 1;
      } else if (star >= 0) {
        p = star + 1;
        restart += 1;
        t = restart;
      } else return false;
    }
    while (pattern[p] === '*') p += 1;
    return p === pattern.length;
  };
}

function badFilter(expression: string, why: string): InvalidInput {
  return new InvalidInput({
    code: 'bad-filter',
    message: `--filter ${JSON.stringify(expression)}: ${why}`,
    next: [
      "netctl subnets ls --filter 'backend=vxlan,expires<1h'",
      "netctl subnets ls --filter 'node=web*' --filter '!permanent'",
    ],
  });
}

export const sortKeys = ['subnet', 'public-ip', 'node', 'backend', 'expires'] as const;
type SortKey = (typeof sortKeys)[number];

export interface RowSort {
  readonly compare: (a: SubnetRow, b: SubnetRow) => number;
  readonly needsTtl: boolean;
}

/**
 * The order of `--sort`: keys with commas between them, `-` before a key turns it around. Equal rows stay in the order of
 * their subnets. Rows without a value come last, whichever way round.
 * @throws InvalidInput `bad-sort`
 */
export function parseSort(text: string): RowSort {
  const parts = text.split(',').map((part) => {
    const match = /^\s*(-?)([A-Za-z-]+)\s*$/.exec(part);
    const key = sortKeys.find((candidate) => candidate === match?.[2]?.toLowerCase());
    if (match === null || key === undefined) {
      throw new InvalidInput({
        code: 'bad-sort',
        message: `--sort ${JSON.stringify(text)}: ${JSON.stringify(part.trim())} is not a column to sort by; these are ${sortKeys.join(', ')}`,
        next: ['netctl subnets ls --sort expires', 'netctl subnets ls --sort backend,-subnet'],
      });
    }
    return { compare: comparator(key, match[1] === '-') };
  });
  const bySubnet = comparator('subnet', false);
  return {
    compare: (a, b) => {
      for (const { compare } of parts) {
        const order = compare(a, b);
        if (order !== 0) return order;
      }
      return bySubnet(a, b);
    },
    needsTtl: /expires/i.test(text),
  };
}

function comparator(key: SortKey, descending: boolean): (a: SubnetRow, b: SubnetRow) => number {
  const sign = descending ? -1 : 1;
  const columnOf = sortValue(key);
  return (a, b) => {
    const left = columnOf(a);
    const right = columnOf(b);
    if (left === right) return 0;
    if (left === null) return 1;
    if (right === null) return -1;
    return left < right ? -sign : sign;
  };
}

function sortValue(key: SortKey): (row: SubnetRow) => number | string | null {
  switch (key) {
    case 'subnet':
      // Base first, then length: 2^32 bases times 64 lengths stay exact in a number.
      return (row) => row.lease.subnet.base * 64 + row.lease.subnet.length;
    case 'public-ip':
      return (row) => (row.lease.publicIP === null ? null : (parseIpv4(row.lease.publicIP) ?? null));
    case 'node':
      return (row) => row.node;
    case 'backend':
      return (row) => row.lease.backendType;
    case 'expires':
      // What never expires comes after what does.
      return (row) => (row.lease.permanent ? Number.POSITIVE_INFINITY : row.ttlSeconds);
    default:
      return key satisfies never;
  }
}
