import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InvalidInput } from '../../src/lib/errors';
import type { MkDockerOptsCall } from '../../src/lib/net/docker-options';
import { daemonJsonPart, dockerdFlagWords, mkDockerOpts } from '../../src/lib/net/docker-options';
import { parseFlannelVersion } from '../../src/lib/net/flannel-version';
import { parseSubnetEnv } from '../../src/lib/net/subnet-env';
import { root } from '../support/built';

const sample = 'FLANNEL_NETWORK=10.1.0.0/16\nFLANNEL_SUBNET=10.1.74.1/24\nFLANNEL_MTU=1472\nFLANNEL_IPMASQ=false\n';
const bip = 'DOCKER_OPT_BIP="--bip=10.1.74.1/24"\n';
const masq = 'DOCKER_OPT_IPMASQ="--ip-masq=true"\n';
const mtu = 'DOCKER_OPT_MTU="--mtu=1472"\n';
const all = '--bip=10.1.74.1/24 --ip-masq=true --mtu=1472';

const contents = { a: parseFlannelVersion('v0.17.0'), b: parseFlannelVersion('v0.18.0') } as const;
type Content = keyof typeof contents;
type Call = Omit<MkDockerOptsCall, 'flannel'>;

function ours(envText: string | null, call: Call = {}, content: Content = 'b') {
  return mkDockerOpts(envText, { ...call, flannel: contents[content] });
}

describe('what mk-docker-opts.sh writes', () => {
  it.each<[string, Call, string]>([
    ['no option', {}, `${bip}${masq}${mtu}DOCKER_OPTS=" ${all}"\n`],
    ['-i', { individual: true }, `${bip}${masq}${mtu}`],
    ['-c', { combined: true }, `DOCKER_OPTS=" ${all}"\n`],
    ['-k CUSTOM_KEY', { key: 'CUSTOM_KEY' }, `${bip}${masq}${mtu}CUSTOM_KEY=" ${all}"\n`],
    ['-m', { ipMasq: false }, `${bip}${mtu}DOCKER_OPTS=" --bip=10.1.74.1/24 --mtu=1472"\n`],
  ])("is upstream's own case with %s", (_name, call, text) => {
    for (const content of ['a', 'b'] as const) {
      expect(ours(sample, call, content)).toEqual({ text, exitCode: 0, stderr: '' });
    }
  });

  it('is nothing but the key when there is no file', () => {
    expect(ours(null).text).toBe('DOCKER_OPTS=""\n');
    expect(ours(null, { individual: true }).text).toBe('');
  });

  it('ends before it writes when FLANNEL_IPMASQ is neither true nor false', () => {
    const env = sample.replace('false', 'yes');
    expect(ours(env)).toEqual({ text: null, exitCode: 1, stderr: 'Invalid value of FLANNEL_IPMASQ: yes\n' });
    expect(ours(env, { ipMasq: false, individual: true }).text).toBe(`${bip}${mtu}`);
  });

  it('says from v0.18.0 on that a route to the subnet exists, after it has written', () => {
    const routes = 'default via 10.4.7.254 dev eth0\n10.1.74.0/24 via 10.99.0.7 dev eth0\n';
    expect(ours(sample, { routes, individual: true })).toEqual({
      text: `${bip}${masq}${mtu}`,
      exitCode: 1,
      stderr: 'Your routing table already contains the subnet: 10.1.74.0/24 via 10.99.0.7 dev eth0\n',
    });
    expect(ours(sample, { routes }, 'a').exitCode).toBe(0);
    expect(ours(sample, { routes: '10.1.74.0/24 dev docker0 proto kernel scope link src 10.1.74.1' }).exitCode).toBe(0);
  });

  it.each<[string, string | null, Call]>([
    ['a command in the file', 'FLANNEL_MTU=$(cat /x)\n', {}],
    ['blanks in a value', 'FLANNEL_MTU="14 50"\n', {}],
    ['DOS line ends', 'FLANNEL_MTU=1450\r\n', {}],
    ['a wildcard', "FLANNEL_SUBNET='*'\n", {}],
    ['a key that is no name', sample, { key: 'A B' }],
    ['a key of the script', sample, { key: 'docker_env' }],
    ['a file that sets PATH', `PATH=/x\n${sample}`, {}],
    ['a preset with a backslash', sample, { environment: { DOCKER_OPTS: 'a\\nb' } }],
    ['an option that echo would take', sample, { environment: { DOCKER_OPT_X: '-n' } }],
    ['a last octet that is a variable', 'FLANNEL_SUBNET=10.1.2.x/24\n', {}],
  ])('is refused, not guessed: %s', (_name, env, call) => {
    expect(() => ours(env, call)).toThrow(InvalidInput);
    expect(() => ours(env, call)).toThrow(/cannot be imitated here/);
  });
});

describe('what daemon.json should hold', () => {
  it('turns FLANNEL_IPMASQ round', () => {
    const { env } = parseSubnetEnv('FLANNEL_SUBNET=10.0.65.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n');
    expect(daemonJsonPart(env)).toEqual({ bip: '10.0.65.1/24', mtu: 1450, 'ip-masq': false });
    expect(daemonJsonPart(env, { ipMasq: false })).toEqual({ bip: '10.0.65.1/24', mtu: 1450 });
    expect(dockerdFlagWords(daemonJsonPart(env))).toEqual(['--bip=10.0.65.1/24', '--ip-masq=false', '--mtu=1450']);
  });

  it('has no bridge address when flannel has IPv6 only', () => {
    const { env } = parseSubnetEnv('FLANNEL_IPV6_SUBNET=fd00::1/64\nFLANNEL_MTU=1400\n');
    expect(daemonJsonPart(env)).toEqual({ mtu: 1400 });
  });
});

describe("compared with the project's own script under dash", () => {
  let folder = '';
  const script: Record<Content, string> = { a: '', b: '' };
  let serial = 0;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'netctl-opts-'));
    const text = readFileSync(
      process.env['NETCTL_TEST_MK_DOCKER_OPTS'] ?? join(root, 'test/lab/flannel/mk-docker-opts.sh'),
      'utf8',
    );
    const end = text.search(/^# >>> from v0\.18\.0$|^if \[ -n "\$\{FLANNEL_SUBNET\}" \];then$/m);
    script.a = join(folder, 'a.sh');
    script.b = join(folder, 'b.sh');
    writeFileSync(script.a, end < 0 ? text : text.slice(0, end));
    writeFileSync(script.b, text);
    mkdirSync(join(folder, 'bin'));
    // What `ip route show` prints is the test's; without it the script of v0.18.0 would look at this machine.
    writeFileSync(join(folder, 'bin/ip'), '#!/bin/sh\nprintf %s "$ROUTES"\n');
    chmodSync(join(folder, 'bin/ip'), 0o755);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function theirs(
    envText: string | null,
    call: Call,
    content: Content,
    shell: readonly [string, ...string[]] = ['dash'],
  ) {
    const name = join(folder, `${serial++}`);
    const out = `${name}.out`;
    if (envText !== null) writeFileSync(`${name}.env`, envText);
    const [program, ...words] = shell;
    const ended = spawnSync(
      program,
      [
        ...words,
        script[content],
        ...['-f', `${name}.env`, '-d', out],
        ...(call.individual === true ? ['-i'] : []),
        ...(call.combined === true ? ['-c'] : []),
        ...(call.ipMasq === false ? ['-m'] : []),
        ...(call.key === undefined ? [] : ['-k', call.key]),
      ],
      {
        encoding: 'utf8',
        env: { ...call.environment, PATH: `${folder}/bin:${process.env['PATH']}`, ROUTES: call.routes ?? '' },
      },
    );
    return { text: existsSync(out) ? readFileSync(out, 'utf8') : null, exitCode: ended.status, stderr: ended.stderr };
  }

  function compare(envText: string | null, call: Call, content: Content, shell?: readonly [string, ...string[]]) {
    const expected = theirs(envText, call, content, shell);
    const made = ours(envText, call, content);
    // In exit 2 it is the shell that speaks, in words of its own.
    const both = made.exitCode === 2 ? { ...made, stderr: expected.stderr } : made;
    expect([envText, call, content, both]).toEqual([envText, call, content, expected]);
  }

  const quirks: readonly [string, string | null, Call][] = [
    ['a preset key is kept, with two blanks', sample, { environment: { DOCKER_OPTS: '--debug' } }],
    [
      'a preset with quotes and blanks',
      sample,
      { environment: { DOCKER_OPTS: `--label 'a b' "c" $x` }, combined: true },
    ],
    ['extra options are sorted in', sample, { environment: { DOCKER_OPT_BRIDGE: '--x', DOCKER_OPT_ZZ: '' } }],
    ['a value that holds DOCKER_OPT_', sample, { environment: { FOO: 'xDOCKER_OPT_y' }, individual: true }],
    ['values of the environment count', 'FLANNEL_MTU=1450\n', { environment: { FLANNEL_SUBNET: '10.9.8.1/24' } }],
    ['the file sets the key itself', `DOCKER_OPTS='--icc=false'\n${sample}`, {}],
    ['no file', null, {}],
    ['no file, -i', null, { individual: true }],
    ['an empty file', '', { combined: true }],
    ['-i and -c', sample, { individual: true, combined: true }],
    ['IPv6 only', 'FLANNEL_IPV6_SUBNET=fd00::1/64\nFLANNEL_MTU=1400\nFLANNEL_IPMASQ=true\n', {}],
    ['dual stack', `${sample}FLANNEL_IPV6_NETWORK=fd00::/48\nFLANNEL_IPV6_SUBNET=fd00::1/64\n`, {}],
    ['an IPv6 address where IPv4 belongs', 'FLANNEL_SUBNET=fd00::1/64\n', { individual: true }],
    ['an octet that is no octal number', 'FLANNEL_SUBNET=10.1.2.08/24\n', {}],
    ['an octal octet', 'FLANNEL_SUBNET=10.1.2.010/24\n', { routes: '10.1.2.7/24 via 10.0.0.1' }],
    ['a short address', 'FLANNEL_SUBNET=10.1.2/24\n', { routes: '10.1.2.-1/24 via 10.0.0.1' }],
    ['quotes and a comment', 'export FLANNEL_MTU="1450" # note\n', {}],
    ['an ip-masq that is neither', sample.replace('false', 'yes'), {}],
    ['the same with -m', sample.replace('false', 'yes'), { ipMasq: false }],
    ['a route by way of another node', sample, { routes: '10.1.74.0/24 via 10.99.0.7 dev eth0\n' }],
    ['a route that only a wildcard finds', sample, { routes: '110x1x74x0/24 via 10.99.0.7 dev eth0' }],
    ['two routes', sample, { routes: '10.1.74.0/24 via 10.0.0.1\nx\n10.1.74.0/24 via 10.0.0.2\n\n' }],
    ["docker0's own route", sample, { routes: '10.1.74.0/24 dev docker0 proto kernel scope link' }],
    [
      'a subnet that does not begin at its first address',
      'FLANNEL_SUBNET=10.1.74.9/24',
      { routes: '10.1.74.8/24 via x' },
    ],
    ['-k with a name of flannel', sample, { key: 'FLANNEL_MTU' }],
  ];

  it.each(quirks)('the same bytes and exit code: %s', (_name, env, call) => {
    compare(env, call, 'a');
    compare(env, call, 'b');
  });

  it('the same under busybox', () => {
    for (const [, env, call] of quirks.slice(0, 8)) compare(env, call, 'b', ['busybox', 'sh']);
  });

  it('the same for files and calls that nobody thought of', () => {
    const octet = fc.integer({ min: 0, max: 255 });
    const address = fc
      .tuple(octet, octet, octet, octet, fc.integer({ min: 0, max: 32 }))
      .map(([a, b, c, d, l]) => `${a}.${b}.${c}.${d}/${l}`);
    const value = fc.oneof(
      address,
      fc.constantFrom(
        'true',
        'false',
        'yes',
        '',
        '1450',
        '0',
        'fd00::1/64',
        '10.1.0.0/16,10.2.0.0/16',
        '-n',
        'a b',
        '"x"',
      ),
    );
    const quote = fc.constantFrom('', "'", '"');
    const name = fc.constantFrom(
      'FLANNEL_SUBNET',
      'FLANNEL_MTU',
      'FLANNEL_IPMASQ',
      'DOCKER_OPT_A',
      'DOCKER_OPTS',
      'FLANNEL_NETWORK',
    );
    const line = fc
      .tuple(fc.constantFrom('', 'export ', ' '), name, quote, value, fc.constantFrom('', ' # x', ';'))
      .map(([before, key, mark, text, after]) => `${before}${key}=${mark}${text}${mark}${after}`);
    const call = fc.record<Call>(
      {
        individual: fc.boolean(),
        combined: fc.boolean(),
        ipMasq: fc.boolean(),
        key: fc.constantFrom('OPTS', 'DOCKER_OPTS'),
      },
      { requiredKeys: [] },
    );
    let compared = 0;
    fc.assert(
      fc.property(
        fc.array(line, { maxLength: 5 }),
        call,
        fc.constantFrom<Content>('a', 'b'),
        (lines, options, content) => {
          const text = lines.join('\n');
          try {
            ours(text, options, content);
          } catch (error) {
            if (error instanceof InvalidInput) return;
            throw error;
          }
          compared += 1;
          compare(text, options, content);
        },
      ),
      { numRuns: 120 },
    );
    expect(compared).toBeGreaterThan(30);
  });
});
