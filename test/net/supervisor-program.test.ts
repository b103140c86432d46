import { execFileSync, spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  quoteSupervisorWord,
  readStartScript,
  readSupervisorPrograms,
  shWord,
  startScript,
  supervisorProgram,
  supervisorProgramFile,
} from '../../src/lib/net/supervisor-program';
import { isWrittenByNetctl } from '../../src/lib/net/written-by-netctl';

const special = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        ...Array.from('%$"\'\\`;#{}() \t\n=-!@:&|*?[]~é€😀'),
        '%(here)s',
        '%(ENV_X)s',
        ' ;',
        ' #',
        "'\\''",
      ),
      fc.string({ maxLength: 3 }),
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join('').replaceAll('\0', ''))
  .filter((text) => !/\p{Cs}/u.test(text));

const hasPython = spawnSync('python3', ['--version']).status === 0;

/** What supervisord 4 does with a file: its parser settings, the replacement of %(here)s, the expansion, the split. */
const supervisordReads = `
import configparser, json, shlex, sys
parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"), strict=False)
parser.read_string(sys.stdin.read())
answer = []
for section in parser.sections():
    value = parser.get(section, "command").replace("%(here)s", "/WRONG")
    answer.append(shlex.split(value % {"here": "/WRONG", "ENV_X": "WRONG"}))
json.dump(answer, sys.stdout)
`;

describe('a word of a shell script', () => {
  it('is read by sh as what it was', () => {
    const words = fc.sample(special, { numRuns: 400, seed: 3 });
    const script = words.map((word) => `printf '%s\\0' ${shWord(word)}\n`).join('');
    const output = execFileSync('sh', ['-s'], { input: script, encoding: 'utf8', env: { LC_ALL: 'C.UTF-8' } });
    expect(output.split('\0').slice(0, -1)).toEqual(words);
  });

  it('is read by netctl as what it was', () => {
    fc.assert(
      fc.property(fc.array(special, { maxLength: 4 }), (words) => {
        expect(
          readStartScript(
            startScript({ executable: '/opt/flannel/flanneld', words, environmentFile: '/etc/default/flanneld' }),
          ),
        ).toEqual(['/opt/flannel/flanneld', ...words]);
      }),
      { numRuns: 300 },
    );
  });
});

describe('a word of a supervisord command', () => {
  it.skipIf(!hasPython)('is read by supervisord’s rules as what it was', () => {
    const words = fc.sample(special, { numRuns: 600, seed: 5 }).filter((word) => !/\p{Cc}/u.test(word));
    expect(words.length).toBeGreaterThan(200);
    const file = words
      .map((word, index) => `[program:p${index}]\ncommand=/bin/a ${quoteSupervisorWord(word)}\n`)
      .join('');
    const output = execFileSync('python3', ['-c', supervisordReads], { input: file, encoding: 'utf8' });
    expect(JSON.parse(output)).toEqual(words.map((word) => ['/bin/a', word]));
  });

  it('cannot hold control characters', () => {
    expect(() => quoteSupervisorWord('a\nb')).toThrow('cannot be a word');
    expect(quoteSupervisorWord('')).toBe('""');
  });
});

describe('the program of flanneld', () => {
  const text = supervisorProgram({
    script: '/opt/flannel/flanneld.sh',
    directory: '/opt/flannel',
    logFile: '/data/logs/flanneld/flanneld.stdout.log',
  });

  it('is restarted after every end, and stopped so that it can clean up', () => {
    const [program, ...others] = readSupervisorPrograms(text);
    expect(others).toEqual([]);
    expect(program).toMatchObject({
      name: 'flanneld',
      command: ['/bin/sh', '/opt/flannel/flanneld.sh'],
      directory: '/opt/flannel',
      isByNetctl: true,
    });
    expect(Object.fromEntries(program?.settings ?? [])).toMatchObject({
      autorestart: 'true',
      startretries: '1000000',
      stopsignal: 'TERM',
      killasgroup: 'true',
      stopasgroup: 'true',
      stdout_logfile: '/data/logs/flanneld/flanneld.stdout.log',
      stdout_logfile_maxbytes: '64MB',
    });
    expect(program?.settings.has('exitcodes')).toBe(false);
    expect(text.startsWith('; Written by netctl')).toBe(true);
  });

  it.skipIf(!hasPython)('is a file that supervisord can read', () => {
    expect(JSON.parse(execFileSync('python3', ['-c', supervisordReads], { input: text, encoding: 'utf8' }))).toEqual([
      ['/bin/sh', '/opt/flannel/flanneld.sh'],
    ]);
  });

  it('lies where each family looks', () => {
    expect(supervisorProgramFile('debian')).toBe('/etc/supervisor/conf.d/flanneld.conf');
    expect(supervisorProgramFile('rhel')).toBe('/etc/supervisord.d/flanneld.ini');
  });
});

describe('a set-up made by hand', () => {
  it('is recognised: the published program file', () => {
    const text = `[program:flanneld]
command=sh /opt/flannel/flanneld.sh ; the script
numprocs=1
directory=/opt/flannel
autorestart=true
exitcodes=0,2
stopsignal=QUIT
;子进程还有子进程
killasgroup=true

[program:etcd]
command = ./etcd --name "a b"
  --data-dir=/x
`;
    const programs = readSupervisorPrograms(text);
    expect(programs.map(({ name, command, isByNetctl }) => ({ name, command, isByNetctl }))).toEqual([
      { name: 'flanneld', command: ['sh', '/opt/flannel/flanneld.sh'], isByNetctl: false },
      { name: 'etcd', command: ['./etcd', '--name', 'a b'], isByNetctl: false },
    ]);
    expect(programs[0]?.settings.get('stopsignal')).toBe('QUIT');
  });

  it('is recognised: the published start script', () => {
    const text = `#!/bin/sh
./flanneld \\
  --public-ip=10.4.7.21 \\
  --etcd-endpoints=https://10.4.7.12:2379,https://10.4.7.21:2379,https://10.4.7.22:2379 \\
  --iface=eth0 \\
  --subnet-file=./subnet.env \\
  --healthz-port=2401
`;
    expect(readStartScript(text)).toEqual([
      './flanneld',
      '--public-ip=10.4.7.21',
      '--etcd-endpoints=https://10.4.7.12:2379,https://10.4.7.21:2379,https://10.4.7.22:2379',
      '--iface=eth0',
      '--subnet-file=./subnet.env',
      '--healthz-port=2401',
    ]);
    expect(isWrittenByNetctl(text)).toBe(false);
  });

  it('is not guessed at when only a shell could know', () => {
    expect(readStartScript('exec /usr/bin/flanneld --iface=$(ip route)')).toBeNull();
    expect(readStartScript('/usr/bin/flanneld --public-ip="$IP"')).toBeNull();
    expect(
      readStartScript(
        '/usr/bin/flanneld --public-ip="$IP" $OPTS',
        new Map([
          ['IP', '10.4.7.21'],
          ['OPTS', '--v 2'],
        ]),
      ),
    ).toEqual(['/usr/bin/flanneld', '--public-ip=10.4.7.21', '--v', '2']);
    expect(readStartScript('# flanneld --iface=eth0\necho flanneld')).toBeNull();
    expect(readStartScript("/usr/bin/flanneld 'open")).toBeNull();
  });
});
