import {
  type BackendOption,
  backendOf,
  backendsOf,
  backendTypes,
  carriesIpv6,
  isAvailable,
  mtuOverhead,
} from '../net/backend';
import {
  cidrContains,
  cidrsOverlap,
  correctedCidr,
  formatCidr,
  type Ipv4Cidr,
  lastAddress,
  parseIpv4Cidr,
  requireIpv4Cidr,
  sizeOfLength,
  spacesOf,
} from '../net/cidr';
import { type FlannelVersion, isAtLeast, judgedAs } from '../net/flannel-version';
import {
  foldKey,
  type GoJsonDocument,
  type GoJsonFailure,
  type GoJsonMember,
  type GoJsonValue,
  goString,
  positionFinder,
  rawText,
} from '../net/go-json';
import { formatIpv4, parseIpv4 } from '../net/ipv4';
import { formatIpv6Cidr, type Ipv6Cidr, ipv6CidrsOverlap, parseIpv6Cidr } from '../net/ipv6';
import { nearestWord } from '../net/nearest-word';
import {
  configKeys,
  describeNetwork,
  type EffectiveConfig,
  type Examination,
  examineConfig,
  readsKey,
  type Verdict,
} from '../net/network-config';
import type { Problem } from '../net/problem';

export interface ReviewContext {
  /** Ranges or addresses that the network must not touch, and why (host LAN, `--avoid`, docker's pools …). */
  readonly avoid: readonly { readonly cidr: string; readonly why: string }[];
  /** How many nodes the inventory has. */
  readonly nodes?: number;
}

export interface Review {
  readonly verdict: Verdict;
  readonly problems: readonly Problem[];
}

/** A problem that still knows its place in the text. */
interface Located extends Problem {
  readonly offset: number | null;
}

/** A config of a megabyte can hold a hundred thousand unknown keys; nobody reads that many lines. */
const mostProblemsOfAKind = 20;

/**
 * flanneld's verdict, and what it accepts and people regret. Errors first, then by position in the text.
 * @throws InvalidInput `bad-cidr` when `context.avoid` holds something that is no range; never for any config text
 */
export function reviewConfig(text: Uint8Array | string, version: FlannelVersion, context: ReviewContext): Review {
  const judged = judgedAs(version);
  const release = judged.version;
  const examination = examineConfig(text, release);
  const found: Located[] = [];
  if (judged.note !== null) found.push(at(null, 'newer-flannel', 'info', '', judged.note, null));
  const refusal = refusalProblem(examination, release);
  if (refusal !== null) found.push(refusal);
  const { json, verdict } = examination;
  if (json.ok) {
    found.push(...reviewKeys(examination, json, release));
    found.push(...reviewNetwork(examination, json, release, context));
    if (verdict.effective !== null) {
      found.push(...reviewRange(examination, verdict.effective, release, context));
      found.push(...reviewFamilies(examination, verdict.effective, release));
      found.push(...reviewBackend(examination, json, verdict.effective, release));
    }
  }
  return { verdict, problems: placed(found, json) };
}

function at(
  offset: number | null,
  code: string,
  severity: Problem['severity'],
  path: string,
  message: string,
  suggestion: string | null,
): Located {
  return { code, severity, path, message, suggestion, offset };
}

/** Orders the problems and puts line and column into their messages. */
function placed(found: readonly Located[], json: GoJsonDocument | GoJsonFailure): readonly Problem[] {
  // Without a place: what concerns the whole comes before what concerns a part.
  const inOrder = found.toSorted((a, b) => (a.offset ?? -1) - (b.offset ?? -1));
  const find = positionFinder(json.bytes);
  const problems = inOrder.map(({ offset, ...problem }): Problem => {
    if (offset === null) return problem;
    const { line, column } = find(offset);
    return { ...problem, message: `${problem.message} (line ${line}, column ${column})` };
  });
  const isError = (problem: Problem) => problem.severity === 'error';
  return [...problems.filter(isError), ...problems.filter((problem) => !isError(problem))];
}

/** Text from the config, short and in quotes. */
function shown(text: string): string {
  return JSON.stringify(text.length <= 60 ? text : `${text.slice(0, 60)}…`);
}

function offsetOf({ members }: Examination, name: string): number | null {
  return members.get(name)?.value.start ?? null;
}

// What flanneld refuses

function refusalProblem(examination: Examination, version: FlannelVersion): Located | null {
  const { verdict, json, path, offset } = examination;
  if (verdict.outcome === 'accepted' || verdict.error === null) return null;
  const { code, suggestion } = diagnose(examination, version);
  const words = verdict.error.length <= 300 ? verdict.error : `${verdict.error.slice(0, 300)}…`;
  const outcome =
    verdict.outcome === 'crashes'
      ? 'crashes'
      : verdict.stage === 'parse' || verdict.stage === 'check'
        ? 'refuses it and tries again for ever'
        : 'exits 1';
  const message = `flanneld ${verdict.flannel} ${outcome}: ${words}`;
  return at(json.ok ? offset : json.offset, code, 'error', path, message, suggestion);
}

function diagnose(
  examination: Examination,
  version: FlannelVersion,
): { readonly code: string; readonly suggestion: string | null } {
  const { verdict, json, path } = examination;
  if (!json.ok) return { code: 'bad-json', suggestion: jsonHint(json) };
  const value = valueAt(examination);
  const text = value === undefined ? '' : value.kind === 'string' ? goString(json, value) : rawText(json, value);
  switch (verdict.stage) {
    case 'parse':
      return diagnoseValue(verdict, path, text, value);
    case 'check':
      return diagnoseCheck(verdict, path, text, examination);
    case 'backend':
      return diagnoseBackendType(verdict, path, version);
    case 'register':
      if (verdict.outcome === 'crashes') {
        return { code: 'crashes-flanneld', suggestion: '"Mode": "separate"' };
      }
      return { code: 'bad-backend-option', suggestion: registerHint(path, verdict.error ?? '') };
    case null:
      return { code: 'crashes-flanneld', suggestion: null };
    default:
      return verdict.stage satisfies never;
  }
}

function valueAt({ members, path }: Examination): GoJsonValue | undefined {
  return members.get(path.split('.')[0] ?? '')?.value;
}

function jsonHint({ bytes, offset, error }: GoJsonFailure): string | null {
  const byte = bytes[offset];
  if (bytes.length === 0) return '{"Network": "10.1.0.0/16", "Backend": {"Type": "vxlan"}}';
  if (offset === 0 && bytes[0] === 0xef && bytes[1] === 0xbb) return 'remove the byte order mark at the beginning';
  if (error === 'unexpected end of JSON input') return 'the text ends too early: close every bracket and quote';
  if (byte === 0x27) return 'write strings in double quotes; in a shell put the whole text in single quotes';
  if (byte === 0x5c && error.includes('object key'))
    return 'the shell kept a backslash: put the whole text in single quotes';
  if (byte === 0x2f || byte === 0x23) return 'JSON has no comments: remove it';
  if ((byte === 0x7d || byte === 0x5d) && error.includes('looking for beginning'))
    return 'remove the comma before the bracket';
  if (error.includes('looking for beginning of object key string')) return 'write keys in double quotes';
  if (error.includes('after object key:value pair') || error.includes('after array element'))
    return 'a comma is missing before it';
  if (error.includes('after top-level value')) return 'remove what follows the closing bracket';
  if (error.includes('in string literal')) return 'write control characters as \\n, \\t or \\u0001';
  return null;
}

function diagnoseValue(
  verdict: Verdict,
  path: string,
  text: string,
  value: GoJsonValue | undefined,
): { readonly code: string; readonly suggestion: string | null } {
  const six = path.startsWith('IPv6');
  if (path.startsWith('Backend')) {
    return { code: 'wrong-type', suggestion: '"Backend": {"Type": "vxlan"}' };
  }
  if (path === 'Network' || path === 'IPv6Network' || path.endsWith('Networks')) {
    if (verdict.outcome === 'crashes' || verdict.error === 'invalid IPv4 CIDR format') {
      const code = verdict.outcome === 'crashes' ? 'crashes-flanneld' : 'bad-cidr';
      return { code, suggestion: `"EnableIPv6": true, "IPv6Network": ${shown(text)}` };
    }
    const fixed = six
      ? parseIpv6Cidr(text.trim()) === undefined
        ? 'fd00:10:1::/48'
        : text.trim()
      : correctedCidr(text);
    return { code: 'bad-cidr', suggestion: `"${path}": "${fixed}"` };
  }
  if (path.includes('SubnetMin') || path.includes('SubnetMax')) {
    const code = verdict.outcome === 'crashes' ? 'crashes-flanneld' : 'bad-ip';
    if (value?.kind === 'null' || text === '') return { code, suggestion: `leave ${path} out to get the default` };
    return { code, suggestion: six ? `"${path}": "fd00:10:1:1::"` : `"${path}": "10.1.1.0"` };
  }
  if (path.endsWith('SubnetLen')) {
    const number = Number(text);
    const plain = Number.isInteger(number) && number > 0 && number <= 128 ? number : six ? 64 : 24;
    return { code: 'wrong-type', suggestion: `"${path}": ${plain}` };
  }
  if (path.startsWith('Enable')) {
    const off = /^(false|no|off|0)$/i.test(text);
    return { code: 'wrong-type', suggestion: `"${path}": ${!off}` };
  }
  return { code: 'wrong-type', suggestion: '{"Network": "10.1.0.0/16", "Backend": {"Type": "vxlan"}}' };
}

function diagnoseCheck(
  verdict: Verdict,
  path: string,
  text: string,
  examination: Examination,
): { readonly code: string; readonly suggestion: string | null } {
  const { members, json } = examination;
  const error = verdict.error ?? '';
  const six = path.startsWith('IPv6');
  if (verdict.outcome === 'crashes') {
    return { code: 'crashes-flanneld', suggestion: '"IPv6Network": "fd00:10:1::/48", or "EnableIPv6": false' };
  }
  const networkName = six ? 'IPv6Network' : 'Network';
  const member = members.get(networkName);
  const network = member !== undefined && json.ok && member.value.kind === 'string' ? goString(json, member.value) : '';
  if (error.includes('define a correct')) {
    return { code: 'no-network', suggestion: six ? '"IPv6Network": "fd00:10:1::/48"' : '"Network": "10.1.0.0/16"' };
  }
  if (error.includes('four subnets') || error.startsWith('HostSubnet')) {
    const length = (six ? parseIpv6Cidr(network)?.length : parseIpv4Cidr(network)?.length) ?? 0;
    const least = error.startsWith('HostSubnet') ? length : length + 2;
    const most = six ? 126 : 30;
    const wider = six ? 'a wider IPv6Network' : 'a wider Network';
    return { code: 'fewer-than-four-subnets', suggestion: least <= most ? `"${path}": ${least} or more` : wider };
  }
  if (error.includes('too small')) {
    const cidr = parseIpv4Cidr(network);
    const wider = cidr === undefined ? null : formatCidr({ base: cidr.base - (cidr.base % 16), length: 28 });
    return {
      code: 'network-too-small',
      suggestion: six ? 'a prefix of /124 or shorter' : `"Network": "${wider ?? '10.1.0.0/16'}" at least`,
    };
  }
  if (error.includes('must be less than')) {
    return {
      code: 'subnet-too-long',
      suggestion: six ? '"IPv6SubnetLen": 126 at most' : '"SubnetLen": 30 at most, 24 is usual',
    };
  }
  if (error.includes('not in the range')) {
    const cidr = parseIpv4Cidr(network);
    const range = cidr === undefined ? network : `${formatIpv4(cidr.base)} to ${formatIpv4(lastAddress(cidr))}`;
    return { code: 'subnet-out-of-network', suggestion: `an address of ${networkName}: ${range}` };
  }
  if (error.includes('boundary')) return { code: 'subnet-unaligned', suggestion: alignedHint(examination, path, text) };
  return { code: 'config-refused', suggestion: null };
}

function alignedHint({ members, json }: Examination, path: string, text: string): string | null {
  const address = parseIpv4(text);
  if (address === undefined || !json.ok) return null;
  const lenMember = members.get('SubnetLen');
  const network = members.get('Network');
  const prefix = network?.value.kind === 'string' ? parseIpv4Cidr(goString(json, network.value))?.length : undefined;
  const given = lenMember?.value.kind === 'number' ? Number(rawText(json, lenMember.value)) : 0;
  const length = given > 0 ? given : prefix === undefined || prefix <= 22 ? 24 : prefix + 2;
  if (length > 30) return null;
  const size = sizeOfLength(length);
  const down = address - (address % size);
  return `"${path}": "${formatIpv4(path === 'SubnetMax' || down + size > 0xffff_ffff ? down : down + size)}"`;
}

function diagnoseBackendType(
  verdict: Verdict,
  path: string,
  version: FlannelVersion,
): { readonly code: string; readonly suggestion: string | null } {
  if (path === 'EnableIPv4') return { code: 'no-address-family', suggestion: '"EnableIPv4": true' };
  const type = (verdict.error ?? '').replace('unknown backend type: ', '');
  const known = backendOf(type);
  if (known !== undefined) {
    const life = isAtLeast(version, known.since)
      ? `it was removed in ${known.removed}`
      : `it exists from ${known.since}`;
    return { code: 'backend-unavailable', suggestion: `"Type": "vxlan" (${type}: ${life})` };
  }
  const names = backendsOf(version).map((backend) => backend.type);
  return { code: 'unknown-backend', suggestion: `"Type": "${nearestWord(type.trim(), names) ?? 'vxlan'}"` };
}

function registerHint(path: string, error: string): string | null {
  if (error.includes('password is too short'))
    return '"PSK": at least 96 characters, such as from openssl rand -hex 48';
  if (error.includes('alid Mode')) return '"Mode": "separate"';
  if (error.startsWith('could not parse psk')) return '"PSK": 32 bytes in base64, such as from wg genpsk';
  const type = / of type (\S+)$/.exec(error)?.[1];
  const example =
    type === 'bool' ? 'true or false' : type === 'string' ? 'a text in quotes' : 'a whole number without quotes';
  return type === undefined ? null : `"${path.replace('Backend.', '')}": ${example}`;
}

// Keys

const topKeys = configKeys.map((known) => known.name);
const optionNames = new Set(backendTypes.flatMap((backend) => backend.options.map((option) => option.name)));

function reviewKeys({ members }: Examination, json: GoJsonDocument, version: FlannelVersion): readonly Located[] {
  if (json.root.kind !== 'object') return [];
  const found: Located[] = [];
  const byFold = new Map(configKeys.map((known) => [foldKey(known.name), known]));
  found.push(
    ...reviewMembers(json.root.members, '', (member) => {
      const known = member.key.length > 64 ? undefined : byFold.get(foldKey(member.key));
      if (known === undefined) return unknownTopKey(member);
      if (!readsKey(known, version)) return ignoredKey(member, known.name, known, version);
      if (member.key !== known.name) return wrongCase(member, known.name, '');
      return null;
    }),
  );
  found.push(...duplicates(json.root.members, '', (member) => byFold.get(foldKey(member.key))?.name));
  const backend = members.get('Backend')?.value;
  if (backend?.kind === 'object') found.push(...reviewBackendKeys(backend.members, json, version));
  return found;
}

function reviewMembers(
  members: readonly GoJsonMember[],
  where: string,
  review: (member: GoJsonMember) => Located | null,
): readonly Located[] {
  const found: Located[] = [];
  let dropped = 0;
  let firstDropped: number | null = null;
  for (const member of members) {
    if (found.length >= mostProblemsOfAKind && member.key.length > 64) dropped += 1;
    else {
      const problem = review(member);
      if (problem === null) continue;
      if (found.length < mostProblemsOfAKind) found.push(problem);
      else dropped += 1;
    }
    if (dropped === 1) firstDropped ??= member.keyStart;
  }
  if (dropped > 0) {
    const message = `${dropped} more keys${where === '' ? '' : ` of ${where}`} are unknown or oddly written`;
    found.push(at(firstDropped, 'unknown-key', 'warning', where, message, null));
  }
  return found;
}

function pathOf(where: string, member: string): string {
  const short = member.length <= 60 ? member : `${member.slice(0, 60)}…`;
  return where === '' ? short : `${where}.${short}`;
}

function unknownTopKey(member: GoJsonMember): Located {
  const { key, keyStart } = member;
  const path = pathOf('', key);
  const inside = [...optionNames, 'Type'].find((name) => foldKey(name) === foldKey(key.slice(0, 64)));
  if (foldKey(key.slice(0, 64)) === 'backendtype') {
    const message = `${shown(key)} is never read from the config`;
    return at(keyStart, 'misspelt-key', 'warning', path, message, '"Backend": {"Type": …}');
  }
  const near = nearestWord(key, topKeys);
  if (inside !== undefined && near === undefined) {
    const message = `${shown(key)} is ignored here; it belongs inside Backend`;
    return at(keyStart, 'misplaced-key', 'warning', path, message, `"Backend": {"${inside}": …}`);
  }
  if (near !== undefined) {
    const message = `${shown(key)} is not a key of flannel and is ignored; did you mean ${near}?`;
    return at(keyStart, 'misspelt-key', 'warning', path, message, near);
  }
  return at(keyStart, 'unknown-key', 'warning', path, `${shown(key)} is not a key of flannel and is ignored`, null);
}

function ignoredKey(
  member: GoJsonMember,
  name: string,
  life: { readonly since: string; readonly until?: string | null },
  version: FlannelVersion,
  where = '',
): Located {
  const until = life.until ?? null;
  const reason =
    until !== null && isAtLeast(version, until)
      ? `no release from ${until} on reads it`
      : `it is read from ${life.since} on`;
  const message = `${name} is ignored by flannel ${version.tag}; ${reason}`;
  return at(member.keyStart, 'ignored-key', 'warning', pathOf(where, name), message, `remove ${name}`);
}

function wrongCase(member: GoJsonMember, name: string, where: string): Located {
  const message = `${shown(member.key)} works because flanneld folds case; other tools look for ${name}`;
  return at(member.keyStart, 'key-case', 'info', pathOf(where, name), message, name);
}

function duplicates(
  members: readonly GoJsonMember[],
  where: string,
  nameOf: (member: GoJsonMember) => string | undefined,
): readonly Located[] {
  const groups = new Map<string, GoJsonMember[]>();
  for (const member of members) {
    const name = member.key.length > 64 ? undefined : nameOf(member);
    if (name === undefined) continue;
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [member]);
    else group.push(member);
  }
  return [...groups].flatMap(([name, group]) => {
    const second = group[1];
    if (second === undefined) return [];
    const message = `${name} stands ${group.length} times; the last one counts`;
    return [at(second.keyStart, 'duplicate-key', 'warning', pathOf(where, name), message, `keep one ${name}`)];
  });
}

function reviewBackendKeys(
  members: readonly GoJsonMember[],
  json: GoJsonDocument,
  version: FlannelVersion,
): readonly Located[] {
  const typeMember = members.findLast((member) => member.key.length <= 64 && foldKey(member.key) === 'type');
  const type = typeMember?.value.kind === 'string' ? goString(json, typeMember.value) : '';
  const backend = backendOf(type);
  const options: readonly (BackendOption | { readonly name: 'Type'; readonly since: string })[] = [
    { name: 'Type', since: 'v0.8.0' },
    ...(backend?.options ?? []),
  ];
  const byFold = new Map(options.map((option) => [foldKey(option.name), option]));
  const names = options.map((option) => option.name);
  const found = reviewMembers(members, 'Backend', (member) => {
    const { key, keyStart } = member;
    const path = pathOf('Backend', key);
    const known = key.length > 64 ? undefined : byFold.get(foldKey(key));
    if (known !== undefined) {
      if (!isAtLeast(version, known.since)) return ignoredKey(member, known.name, known, version, 'Backend');
      return key === known.name ? null : wrongCase(member, known.name, 'Backend');
    }
    // Without a type that we know there is nothing to compare with.
    if (backend === undefined) {
      const near = nearestWord(key, ['Type']);
      if (near === undefined) return null;
      return at(keyStart, 'misspelt-key', 'warning', path, `${shown(key)} is ignored; did you mean ${near}?`, near);
    }
    const near = nearestWord(key, names);
    if (near !== undefined) {
      const message = `${shown(key)} is not an option of ${backend.type} and is ignored; did you mean ${near}?`;
      return at(keyStart, 'misspelt-key', 'warning', path, message, near);
    }
    const top = topKeys.find((name) => foldKey(name) === foldKey(key.slice(0, 64)));
    if (top !== undefined) {
      const message = `${shown(key)} is ignored inside Backend; it belongs beside it`;
      return at(keyStart, 'misplaced-key', 'warning', path, message, `"${top}": … outside Backend`);
    }
    const known2 = names.slice(1).join(', ');
    const message = `${shown(key)} is not an option of ${backend.type} and is ignored`;
    return at(
      keyStart,
      'unknown-key',
      'warning',
      path,
      message,
      known2 === '' ? null : `${backend.type} takes ${known2}`,
    );
  });
  return [...found, ...duplicates(members, 'Backend', (member) => byFold.get(foldKey(member.key))?.name)];
}

// The address range

function reviewNetwork(
  examination: Examination,
  json: GoJsonDocument,
  version: FlannelVersion,
  context: ReviewContext,
): readonly Located[] {
  const found: Located[] = [];
  const { members, verdict } = examination;
  const textOf = (name: string) => {
    const value = members.get(name)?.value;
    return value?.kind === 'string' ? rawText(json, value).slice(1, -1) : undefined;
  };
  const network = networkOf(textOf('Network'), version);
  const network6 = parseIpv6Cidr(textOf('IPv6Network') ?? '');
  const effective = verdict.effective;
  if (network !== undefined && effective?.enableIPv4 !== false) {
    const offset = offsetOf(examination, 'Network');
    if (network.hostBits) {
      const message = `Network ${formatIpv4(network.address)}/${network.length} has host bits; flanneld uses ${formatCidr(network)}`;
      found.push(at(offset, 'host-bits', 'warning', 'Network', message, `"Network": "${formatCidr(network)}"`));
    }
    found.push(...reviewSpace(network, offset));
  } else if (effective?.enableIPv4 === true && !members.has('Network')) {
    const message = 'there is no Network; this release takes 0.0.0.0/0, the whole Internet';
    found.push(at(null, 'no-network', 'warning', 'Network', message, '"Network": "10.1.0.0/16"'));
  }
  if (network6 !== undefined && effective?.enableIPv6 !== false) {
    const offset = offsetOf(examination, 'IPv6Network');
    if (network6.hostBits) {
      const message = `IPv6Network has host bits; flanneld uses ${formatIpv6Cidr(network6)}`;
      found.push(
        at(offset, 'host-bits', 'warning', 'IPv6Network', message, `"IPv6Network": "${formatIpv6Cidr(network6)}"`),
      );
    }
    found.push(...reviewIpv6Space(network6, offset));
  }
  for (const path of ['Network', 'IPv6Network'] as const) {
    const six = path === 'IPv6Network';
    const touched = context.avoid.filter(({ cidr }) => {
      if (cidr.includes(':') !== six) return false;
      return six ? touches6(network6, cidr) : touches(network, cidr);
    });
    if (touched.length === 0) continue;
    const free = six ? null : freeNetwork(network, context);
    const offset = offsetOf(examination, path);
    for (const what of overlapTexts(touched)) {
      const message = `${path} overlaps ${what}; nodes would route ${touched.length > mostOverlaps ? 'them' : 'it'} into the container network`;
      found.push(at(offset, 'network-overlap', 'warning', path, message, free));
    }
  }
  return found;
}

/** So many overlaps are told one by one; an inventory may have a hundred nodes in the range. */
const mostOverlaps = 5;

function overlapTexts(touched: ReviewContext['avoid']): readonly string[] {
  if (touched.length <= mostOverlaps) return touched.map(({ cidr, why }) => `${cidr}: ${why}`);
  const named = touched.slice(0, mostOverlaps).map(({ cidr, why }) => `${cidr} (${why})`);
  return [`${named.join(', ')} and ${touched.length - mostOverlaps} more of what it must not touch`];
}

function networkOf(text: string | undefined, version: FlannelVersion) {
  if (text === undefined) return undefined;
  return parseIpv4Cidr(text, { leadingZeros: !isAtLeast(version, 'v0.16.3') });
}

function avoided(cidr: string): Ipv4Cidr {
  const address = parseIpv4(cidr);
  if (address !== undefined) return { base: address, length: 32 };
  // An interface's address with its prefix length means the network that it is in.
  return parseIpv4Cidr(cidr) ?? requireIpv4Cidr(cidr, 'range to avoid');
}

function touches(network: Ipv4Cidr | undefined, cidr: string): boolean {
  const range = avoided(cidr);
  return network !== undefined && cidrsOverlap(network, range);
}

function touches6(network: Ipv6Cidr | undefined, cidr: string): boolean {
  const range = parseIpv6Cidr(cidr.includes('/') ? cidr : `${cidr}/128`);
  if (range === undefined) {
    requireIpv4Cidr(cidr, 'range to avoid');
    return false;
  }
  return network !== undefined && ipv6CidrsOverlap(network, range);
}

/** A private range of the same size that touches nothing of what is to be avoided; the first of a fixed order. */
function freeNetwork(network: Ipv4Cidr | undefined, context: ReviewContext): string | null {
  if (network === undefined || network.length < 8 || network.length > 28) return null;
  const taken = context.avoid.filter(({ cidr }) => !cidr.includes(':')).map(({ cidr }) => avoided(cidr));
  const size = sizeOfLength(network.length);
  for (const text of ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16']) {
    const space = parseIpv4Cidr(text);
    if (space === undefined || space.length > network.length) continue;
    let base = space.base;
    while (base + size - 1 <= lastAddress(space)) {
      const candidate: Ipv4Cidr = { base, length: network.length };
      const blocker = taken.find((range) => cidrsOverlap(range, candidate));
      if (blocker === undefined) return `"Network": "${formatCidr(candidate)}"`;
      // Jump behind what is in the way, so that the search takes one step per range.
      base = Math.ceil((Math.max(lastAddress(blocker), base) + 1) / size) * size;
    }
  }
  return null;
}

function reviewSpace(network: Ipv4Cidr, offset: number | null): readonly Located[] {
  // The whole address space is said once, by `no-network`.
  if (network.length === 0) return [];
  const name = formatCidr(network);
  return spacesOf(network).flatMap((use) => {
    const part = use.whole ? name : `a part of ${name}`;
    switch (use.space) {
      case 'private':
        return [];
      case 'shared': {
        const message = `${part} is carrier space (${use.range}, ${use.rfc}); providers and some VPNs use it`;
        return [at(offset, 'special-addresses', 'info', 'Network', message, null)];
      }
      case 'public': {
        const message = `${part} is public address space: containers cannot reach its owners`;
        return [at(offset, 'public-addresses', 'warning', 'Network', message, `"Network": "${privateTwin(network)}"`)];
      }
      case 'loopback':
      case 'link-local':
      case 'multicast':
      case 'documentation':
      case 'benchmark':
      case 'reserved': {
        const message = `${part} is ${use.space} space (${use.range}, ${use.rfc}); hosts do not route it as usual`;
        return [at(offset, 'special-addresses', 'warning', 'Network', message, `"Network": "${privateTwin(network)}"`)];
      }
      default:
        return use.space satisfies never;
    }
  });
}

/** A private range of the same length, keeping the second octet when it can. */
function privateTwin(network: Ipv4Cidr): string {
  const length = Math.max(8, network.length);
  const base = 10 * 2 ** 24 + (network.base % 2 ** 24);
  return formatCidr({ base: base - (base % sizeOfLength(length)), length });
}

function reviewIpv6Space(network: Ipv6Cidr, offset: number | null): readonly Located[] {
  const within = (text: string) => {
    const space = parseIpv6Cidr(text);
    return space !== undefined && network.length >= space.length && ipv6CidrsOverlap(space, network);
  };
  if (within('fc00::/7')) return [];
  const name = formatIpv6Cidr(network);
  if (within('2000::/3') && !within('2001:db8::/32')) {
    const message = `${name} is public IPv6 space; it needs routing from outside to be of use`;
    return [at(offset, 'public-addresses', 'info', 'IPv6Network', message, null)];
  }
  const message = `${name} is not space for a container network; private IPv6 lies in fd00::/8`;
  return [at(offset, 'special-addresses', 'warning', 'IPv6Network', message, '"IPv6Network": "fd00:10:1::/48"')];
}

function reviewRange(
  examination: Examination,
  effective: EffectiveConfig,
  version: FlannelVersion,
  context: ReviewContext,
): readonly Located[] {
  const facts = describeNetwork(effective, version);
  if (facts === null) return [];
  const found: Located[] = [];
  const min = effective.subnetMin ?? '';
  const max = effective.subnetMax ?? '';
  const where =
    offsetOf(examination, 'SubnetMax') ?? offsetOf(examination, 'SubnetMin') ?? offsetOf(examination, 'SubnetLen');
  const { subnetCount, subnetLen } = facts;
  if (subnetCount === 0) {
    const inverted = (parseIpv4(max) ?? 0) < (parseIpv4(min) ?? 0);
    const message = inverted
      ? `SubnetMin ${min} is above SubnetMax ${max}: no node gets a subnet (out of subnets)`
      : `SubnetLen ${subnetLen} leaves no subnets`;
    const suggestion = inverted ? `"SubnetMin": "${max}", "SubnetMax": "${min}"` : '"SubnetLen": 24';
    found.push(at(where, 'inverted-range', 'warning', 'SubnetMin', message, suggestion));
  } else {
    const count = `${subnetCount} subnet${subnetCount === 1 ? '' : 's'}`;
    if (context.nodes !== undefined && context.nodes > subnetCount) {
      const message = `${context.nodes} nodes need ${context.nodes} subnets, the network has ${count} of /${subnetLen}`;
      const longer = wideEnough(facts.network, context.nodes);
      found.push(at(where, 'fewer-subnets-than-nodes', 'warning', 'SubnetLen', message, longer));
    } else if (subnetCount === 1) {
      const message = `there is one subnet only, ${facts.firstSubnet}: a second node cannot join`;
      found.push(
        at(where, 'single-subnet', 'warning', 'SubnetLen', message, 'a wider range of SubnetMin and SubnetMax'),
      );
    }
    if (facts.containersPerNode < 6) {
      const room = facts.containersPerNode;
      const message = `a /${subnetLen} has room for ${room} container${room === 1 ? '' : 's'} on a node`;
      found.push(
        at(offsetOf(examination, 'SubnetLen'), 'tiny-subnets', 'warning', 'SubnetLen', message, 'a smaller SubnetLen'),
      );
    }
    if ((parseIpv4(max) ?? 0) + facts.addressesPerSubnet > 0xffff_ffff) {
      const message = `SubnetMax ${max} is the end of the address space: with fewer than 100 free subnets flanneld counts on from 0.0.0.0 and offers addresses outside of the network`;
      found.push(
        at(where, 'wraps-around', 'warning', 'SubnetMax', message, 'a Network that ends below 255.255.255.255'),
      );
    }
  }
  // Old releases check neither alignment nor that the subnets lie apart from the network's own address.
  const size = facts.addressesPerSubnet;
  for (const [name, text] of [
    ['SubnetMin', min],
    ['SubnetMax', max],
  ] as const) {
    const address = parseIpv4(text) ?? 0;
    if (size > 0 && address % size !== 0) {
      const message = `${name} ${text} is not on a /${subnetLen} boundary: routes fail with "invalid argument", and releases from v0.10.0 on refuse it`;
      const suggestion = `"${name}": "${formatIpv4(address - (address % size))}"`;
      found.push(at(offsetOf(examination, name), 'subnet-unaligned', 'warning', name, message, suggestion));
    }
  }
  const network = parseIpv4Cidr(facts.network);
  if (network !== undefined && parseIpv4(min) === network.base && cidrContains(network, network.base)) {
    const message = `the first subnet holds the network's own address ${min}, which flannel leaves out by default`;
    const next = `"SubnetMin": "${formatIpv4(network.base + size)}"`;
    found.push(at(offsetOf(examination, 'SubnetMin'), 'first-subnet', 'info', 'SubnetMin', message, next));
  }
  return found;
}

function wideEnough(network: string, nodes: number): string | null {
  const prefix = parseIpv4Cidr(network)?.length ?? 32;
  // The first subnet is left out by default.
  const length = prefix + Math.max(2, Math.ceil(Math.log2(nodes + 1)));
  return length <= 28 ? `"SubnetLen": ${length} without SubnetMin and SubnetMax` : 'a wider Network';
}

// Address families

function reviewFamilies(
  examination: Examination,
  effective: EffectiveConfig,
  version: FlannelVersion,
): readonly Located[] {
  const found: Located[] = [];
  const { members } = examination;
  const offset = offsetOf(examination, 'EnableIPv6');
  const backend = backendOf(effective.backend.type);
  if (effective.enableIPv6 && !isAtLeast(version, 'v0.17.0')) {
    const message = `flannel ${version.tag} does not use IPv6 with etcd: its leases are IPv4 only; from v0.17.0 on they are not`;
    found.push(at(offset, 'ignored-key', 'warning', 'EnableIPv6', message, 'flannel v0.17.0 or later'));
  } else if (effective.enableIPv6 && !effective.enableIPv4) {
    const message =
      'IPv6 alone does not work with etcd: every node has the public IP 0.0.0.0, so all nodes share one subnet';
    found.push(
      at(offset, 'ipv6-only', 'warning', 'EnableIPv4', message, 'IPv4 as well, "EnableIPv4": true with a Network'),
    );
  } else if (effective.enableIPv6) {
    const message =
      'both families: any IPv4-only lease that is left crashes nodes of this network; stop all flanneld and delete all leases first';
    found.push(at(offset, 'dual-stack-hazard', 'warning', 'EnableIPv6', message, 'netctl subnets check'));
  }
  if (effective.enableIPv6 && backend !== undefined && !carriesIpv6(backend, version)) {
    const harm = effective.enableIPv4 ? 'IPv6 packets go nowhere' : 'flanneld crashes without an IPv4 address';
    const message = `backend ${backend.type} carries no IPv6 in ${version.tag}: ${harm}`;
    found.push(
      at(offsetOf(examination, 'Backend'), 'ipv4-only-backend', 'warning', 'Backend.Type', message, '"Type": "vxlan"'),
    );
  }
  const ipv6Network = members.get('IPv6Network');
  if (ipv6Network !== undefined && !effective.enableIPv6 && isAtLeast(version, 'v0.15.0')) {
    const message = 'IPv6Network has no effect while EnableIPv6 is not true';
    found.push(at(ipv6Network.keyStart, 'family-off', 'warning', 'IPv6Network', message, '"EnableIPv6": true'));
  }
  const network = members.get('Network');
  if (network !== undefined && !effective.enableIPv4) {
    const message = 'Network has no effect while EnableIPv4 is false';
    found.push(at(network.keyStart, 'family-off', 'warning', 'Network', message, '"EnableIPv4": true'));
  }
  for (const name of ['Networks', 'IPv6Networks']) {
    const member = members.get(name);
    if (member === undefined) continue;
    const message = isAtLeast(version, 'v0.21.0')
      ? `${name} is parsed and then dropped by flannel ${version.tag}`
      : `the first of ${name} replaces the network in firewall rules, but not for subnets`;
    found.push(at(member.keyStart, 'ignored-key', 'warning', name, message, `remove ${name}`));
  }
  return found;
}

// The backend

function reviewBackend(
  examination: Examination,
  json: GoJsonDocument,
  effective: EffectiveConfig,
  version: FlannelVersion,
): readonly Located[] {
  const found: Located[] = [];
  const { type, explicit, options } = effective.backend;
  const backend = backendOf(type);
  if (backend === undefined) return [];
  const value = examination.members.get('Backend')?.value;
  const offset = value?.start ?? null;
  const placeOf = (name: string): number | null => {
    if (value?.kind !== 'object') return offset;
    const member = value.members.findLast((one) => one.key.length <= 64 && foldKey(one.key) === foldKey(name));
    return member?.value.start ?? offset;
  };
  const warn = (
    code: string,
    name: string,
    message: string,
    suggestion: string | null,
    severity: Problem['severity'] = 'warning',
  ) => found.push(at(placeOf(name), code, severity, `Backend.${name}`, message, suggestion));

  if (!explicit) {
    const message =
      'there is no Backend: flanneld takes udp, a slow tunnel through a user-space process, whatever the documentation says';
    found.push(at(null, 'implicit-udp', 'warning', 'Backend', message, '"Backend": {"Type": "vxlan"}'));
  } else if (type === 'udp') {
    const only = isAtLeast(version, 'v0.10.0') ? ' and exists on amd64 only' : '';
    warn(
      'udp-slow',
      'Type',
      `udp passes every packet through a user-space process${only}; vxlan does it in the kernel`,
      '"Type": "vxlan"',
    );
  }
  if (explicit) {
    const typeMember =
      value?.kind === 'object' ? value.members.findLast((one) => foldKey(one.key.slice(0, 64)) === 'type') : undefined;
    const written = typeMember?.value.kind === 'string' ? goString(json, typeMember.value) : type;
    if (written !== type)
      warn('key-case', 'Type', `${shown(written)} works because flanneld folds case`, `"Type": "${type}"`, 'info');
  }
  if (backend.removed !== null && isAvailable(backend, version)) {
    warn('backend-removed', 'Type', `backend ${type} is gone from ${backend.removed} on`, '"Type": "vxlan"');
  }
  if (backend.needsAdjacency) {
    const message = `${type} needs all nodes on one segment, and each public IP on the interface itself`;
    warn(
      'needs-adjacency',
      'Type',
      message,
      '"Type": "vxlan", "DirectRouting": true where some nodes are routed',
      'info',
    );
  }
  if (type === 'alloc') warn('no-data-path', 'Type', 'alloc takes leases and moves no packets', '"Type": "vxlan"');

  for (const option of backend.options) {
    const given = options[option.name];
    if (option.range === undefined || typeof given !== 'number') continue;
    const [least, most] = option.range;
    if (given >= least && given <= most) continue;
    if (type === 'vxlan' && option.name === 'VNI' && given > most && given <= 0xff_ffff) continue;
    const message = `${option.name} ${given} cannot work; the values are ${least} to ${most}`;
    warn('option-out-of-range', option.name, message, `"${option.name}": ${option.default ?? 1500}`);
  }
  if (type === 'vxlan') reviewVxlan(options, effective, version, warn);
  if (type === 'wireguard' && effective.enableIPv4 && effective.enableIPv6 && options['Mode'] === 'separate') {
    if (options['ListenPort'] === options['ListenPortV6']) {
      warn(
        'port-clash',
        'ListenPortV6',
        'ListenPort and ListenPortV6 are the same; each device needs its own',
        '"ListenPortV6": 51821',
      );
    }
  }
  if (type === 'extension' && isAtLeast(version, 'v0.28.2')) {
    for (const option of backend.options) {
      const command = options[option.name];
      if (typeof command !== 'string' || !/[|&;<>()`'"*?]/.test(command)) continue;
      const message = `${option.name} is not run by a shell from v0.28.2 on: quotes, pipes and redirects are plain arguments`;
      warn('no-shell', option.name, message, 'put the command into a script and name the script');
    }
  }
  const overhead = mtuOverhead(type, options);
  const outer = options['MTU'];
  if (typeof outer === 'number' && outer > 0 && outer - overhead < 576) {
    warn(
      'small-mtu',
      'MTU',
      `MTU ${outer} leaves ${outer - overhead} bytes a packet; MTU is the outer one`,
      'leave MTU out',
    );
  }
  return found;
}

function reviewVxlan(
  options: Readonly<Record<string, unknown>>,
  effective: EffectiveConfig,
  version: FlannelVersion,
  warn: (code: string, name: string, message: string, suggestion: string | null) => void,
): void {
  const vni = options['VNI'];
  if (typeof vni === 'number') {
    const long = effective.enableIPv6 ? 10_000 : 10_000_000;
    const device = `flannel${effective.enableIPv6 ? '-v6' : ''}.${vni}`;
    if (vni >= long && vni <= 0xff_ffff) {
      const message = `VNI ${vni} makes the device name ${device}, which is longer than the 15 characters of Linux: flanneld exits 1`;
      warn('device-name-too-long', 'VNI', message, `"VNI": ${long - 1} at most`);
    }
    if (vni > 65_535 && vni <= 0xff_ffff) {
      const message = isAtLeast(version, 'v0.24.0')
        ? `VNI ${vni} needs more than 16 bits: peers of v0.14 to v0.23 skip this node`
        : `VNI ${vni} needs more than 16 bits, and ${version.tag} publishes and reads 16`;
      warn('vni-16-bit', 'VNI', message, '"VNI": 65535 at most');
    }
  }
  const port = options['Port'];
  if (port === 4789) {
    warn(
      'vxlan-port',
      'Port',
      'Port 4789 is used by Docker Swarm overlays and eaten by some hypervisors',
      '"Port": 8472',
    );
  }
}
