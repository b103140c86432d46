import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  environmentLine,
  execWords,
  flannelUnit,
  parseEnvironmentFile,
  quoteExecWord,
  readFlannelUnit,
} from '../../src/lib/net/flannel-unit';

const inBraces = (name: string): string => ['$', '{', name, '}'].join('');

/** Texts with everything that any of the syntaxes treats as its own. */
const nasty = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        ...Array.from('%$"\'\\`;#{} \t\n=-!@:&|*?[]~é€😀'),
        '$HOME',
        inBraces('X'),
        '%n',
        '\\n',
        '\u0085',
      ),
      fc.string({ maxLength: 3 }),
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join('').replaceAll('\0', ''))
  .filter((text) => !/\p{Cs}/u.test(text));

describe('a word of ExecStart', () => {
  it('is read back by systemd’s rules as what it was, whatever stands in it', () => {
    fc.assert(
      fc.property(fc.array(nasty, { maxLength: 5 }), (words) => {
        const line = ['/opt/flannel/flanneld', ...words.map(quoteExecWord)].join(' ');
        expect(line).not.toMatch(/\n/);
        expect(
          execWords(
            line,
            new Map([
              ['HOME', 'wrong'],
              ['X', 'wrong'],
            ]),
          ),
        ).toEqual(['/opt/flannel/flanneld', ...words]);
      }),
      { numRuns: 500 },
    );
  });

  it('stays plain where it can', () => {
    expect(quoteExecWord('--etcd-endpoints=https://10.4.7.12:2379,http://[fd00::1]:2379')).toBe(
      '"--etcd-endpoints=https://10.4.7.12:2379,http://[fd00::1]:2379"',
    );
    expect(quoteExecWord('--iface=eth0')).toBe('--iface=eth0');
    expect(quoteExecWord('--iface-regex=^10\\.4$')).toBe('"--iface-regex=^10\\\\.4$$"');
    expect(quoteExecWord('a%b')).toBe('a%%b');
    expect(quoteExecWord(';')).toBe('";"');
    expect(quoteExecWord('')).toBe('""');
    expect(() => quoteExecWord('a\0b')).toThrow('cannot be a word');
  });

  it('takes variables as systemd does: whole words are split, parts are not', () => {
    const environment = new Map([
      ['FLANNEL_ETCD', 'http://20.0.40.51:2379'],
      ['FLANNEL_OPTIONS', '--ip-masq "--iface=eth 0"'],
    ]);
    expect(
      execWords(
        `/usr/bin/flanneld -etcd-endpoints=${inBraces('FLANNEL_ETCD')} $FLANNEL_OPTIONS $NONE a$$b`,
        environment,
      ),
    ).toEqual(['/usr/bin/flanneld', '-etcd-endpoints=http://20.0.40.51:2379', '--ip-masq', '--iface=eth 0', 'a$b']);
    expect(execWords('-@/bin/a b ; /bin/c')).toEqual(['/bin/a', 'b']);
    expect(execWords('/bin/a "open')).toEqual([]);
  });
});

describe('a line of an environment file', () => {
  it('is read back by systemd’s rules as what it was', () => {
    fc.assert(
      fc.property(fc.array(nasty, { minLength: 1, maxLength: 4 }), (values) => {
        const text = values.map((value, index) => `${environmentLine(`FLANNELD_V${index}`, value)}\n`).join('');
        expect([...parseEnvironmentFile(text).values()]).toEqual(values);
      }),
      { numRuns: 500 },
    );
  });

  it('is read by a shell as what it was', () => {
    const values = fc.sample(nasty, { numRuns: 300, seed: 7 });
    const script = values
      .map((value, index) => `${environmentLine(`V${index}`, value)}\nprintf '%s\\0' "$V${index}"\n`)
      .join('');
    const output = execFileSync('sh', ['-s'], { input: script, encoding: 'utf8', env: { LC_ALL: 'C.UTF-8' } });
    expect(output.split('\0').slice(0, -1)).toEqual(values);
  });

  it('is found among what people write', () => {
    const text = [
      '# comment \\',
      'HIDDEN=1',
      '; another',
      'A = 1 ',
      'B="x y"  ',
      "C='$x'\\",
      ' D',
      'E=a b # no comment',
      'F="1" \'2\'3"',
      'export G=1',
      'nonsense',
      'H=',
      'A=2',
      '',
    ].join('\r\n');
    expect(Object.fromEntries(parseEnvironmentFile(text))).toEqual({
      A: '2',
      B: 'x y',
      C: '$x D',
      E: 'a b # no comment',
      F: '123"',
      H: '',
    });
    expect(parseEnvironmentFile('A="open').get('A')).toBe('open');
    expect(parseEnvironmentFile(`${'x'.repeat(900_000)}\n`).size).toBe(0);
  });
});

describe('the unit of flanneld', () => {
  const text = flannelUnit({
    executable: '/usr/bin/flanneld',
    words: ['--iface=eth0', '--iface=10.4.7.21', '--iface-regex=^eth[0-9]$'],
    environmentFile: '/etc/sysconfig/flanneld',
    dockerUnit: 'docker',
  });

  it('comes back from every end, before Docker, and is wanted by nobody but the boot', () => {
    expect(readFlannelUnit([text], new Map([['/etc/sysconfig/flanneld', 'FLANNELD_IP_MASQ="true"\n']]))).toEqual({
      command: ['/usr/bin/flanneld', '--iface=eth0', '--iface=10.4.7.21', '--iface-regex=^eth[0-9]$'],
      environment: new Map([['FLANNELD_IP_MASQ', 'true']]),
      environmentFiles: [{ path: '/etc/sysconfig/flanneld', isOptional: false }],
      type: 'notify',
      restart: 'always',
      requiredBy: [],
      before: ['docker.service'],
    });
    expect(text).toContain('\nStartLimitIntervalSec=0\n');
    expect(text).not.toMatch(/RuntimeDirectory|Requires|BindsTo|PartOf/);
  });

  it.skipIf(spawnSync('systemd-analyze', ['--version']).status !== 0)(
    'has nothing that systemd complains about',
    () => {
      const folder = mkdtempSync(join(tmpdir(), 'netctl-unit-'));
      try {
        const unit = flannelUnit({
          // Must exist, or systemd-analyze says so.
          executable: '/bin/true',
          words: [`--a=%n $HOME ${inBraces('X')} "q" 's' \\ ;`, ';', 'x\ny', '%', '$'],
          environmentFile: null,
          dockerUnit: 'docker.service',
        });
        writeFileSync(join(folder, 'flanneld.service'), unit);
        const { status, stderr } = spawnSync('systemd-analyze', ['verify', join(folder, 'flanneld.service')], {
          encoding: 'utf8',
        });
        expect(stderr.split('\n').filter((line) => line.includes('flanneld'))).toEqual([]);
        expect(status).toBe(0);
        // And it does complain when there is something.
        writeFileSync(join(folder, 'flanneld.service'), unit.replace('Restart=always', 'Restart=perhaps'));
        expect(
          spawnSync('systemd-analyze', ['verify', join(folder, 'flanneld.service')], { encoding: 'utf8' }).stderr,
        ).toContain('perhaps');
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  );

  it('made by hand is read with its drop-ins: repeated keys, continued lines, resets', () => {
    const unit = [
      '[Unit]',
      'Description=flanneld overlay address etcd agent',
      'Before=docker.service',
      '[Service]',
      'Type=notify',
      'EnvironmentFile=/etc/sysconfig/flanneld',
      'EnvironmentFile=-/etc/sysconfig/docker-network',
      'Environment=A=1 "B=2 3"',
      'ExecStart=/usr/bin/flanneld \\',
      '  # a comment within',
      `  -etcd-endpoints=${inBraces('FLANNEL_ETCD')} \\`,
      '  $FLANNEL_OPTIONS',
      '[Install]',
      'RequiredBy=docker.service',
    ].join('\n');
    const files = new Map([
      ['/etc/sysconfig/flanneld', 'FLANNEL_ETCD="http://20.0.40.51:2379"\nFLANNEL_OPTIONS="--ip-masq -iface=eth0"\n'],
    ]);
    const reading = readFlannelUnit([unit], files);
    expect(reading.command).toEqual([
      '/usr/bin/flanneld',
      '-etcd-endpoints=http://20.0.40.51:2379',
      '--ip-masq',
      '-iface=eth0',
    ]);
    expect(reading).toMatchObject({ restart: 'no', requiredBy: ['docker.service'] });
    expect(reading.environment.get('B')).toBe('2 3');
    expect(reading.environmentFiles[1]).toEqual({ path: '/etc/sysconfig/docker-network', isOptional: true });
    const dropIn = '[Service]\nExecStart=\nExecStart=/opt/flanneld\nRestart=always\nEnvironmentFile=\n';
    expect(readFlannelUnit([unit, dropIn], files)).toMatchObject({
      command: ['/opt/flanneld'],
      restart: 'always',
      environmentFiles: [],
    });
  });

  it('is not expected to make sense', () => {
    fc.assert(
      fc.property(fc.array(nasty, { maxLength: 20 }), (parts) => {
        expect(() => readFlannelUnit([`[Service]\nExecStart=${parts.join('\n')}`])).not.toThrow();
        expect(() => parseEnvironmentFile(parts.join('\n'))).not.toThrow();
      }),
    );
  });
});
