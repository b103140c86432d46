import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import {
  fingerprint,
  isAbout,
  judgeHostKey,
  knownHostLine,
  knownKeyTypes,
  knownName,
  matchesGlob,
  parseKnownHosts,
} from '../../src/lib/host/known-hosts';
import { addKnownHost, readKnownHosts } from '../../src/lib/host/known-hosts-file';

const folder = mkdtempSync(join(tmpdir(), 'netctl-known-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const newFile = (text?: string): string => {
  files += 1;
  const file = join(folder, `known${files}`);
  if (text !== undefined) writeFileSync(file, text);
  return file;
};

function newKey(type: string): { readonly line: string; readonly key: Buffer; readonly file: string } {
  const file = newFile();
  execFileSync('ssh-keygen', ['-q', '-t', type, ...(type === 'rsa' ? ['-b', '2048'] : []), '-N', '', '-f', file]);
  const [kind = '', base64 = ''] = readFileSync(`${file}.pub`, 'utf8').split(' ');
  return { line: `${kind} ${base64}`, key: Buffer.from(base64, 'base64'), file };
}

const first = newKey('ed25519');
const second = newKey('ed25519');
const rsa = newKey('rsa');
const judge = (text: string, name: string, key: Buffer) =>
  judgeHostKey(parseKnownHosts(text, 'known_hosts'), name, key);

describe('a known_hosts file', () => {
  it.each([
    ['its name', 'node1', 'node1'],
    ['one of several names', 'a,node1,10.4.7.21', '10.4.7.21'],
    ['upper case', 'NODE1', 'node1'],
    ['a pattern', '*.example.org', 'a.b.example.org'],
    ['a pattern for one character', 'node?', 'node1'],
    ['a port', '[node1]:2222', '[node1]:2222'],
    ['a pattern with a port', '[*.org]:22?2', '[a.org]:2222'],
    ['an IPv6 address', 'fe80::1', 'fe80::1'],
  ])('knows a host by %s', (_, hosts, name) => {
    expect(judge(`${hosts} ${first.line}\n`, name, first.key)).toMatchObject({ kind: 'known', entry: { line: 1 } });
  });

  it.each([
    ['another name', 'node2', 'node1'],
    ['the name on another port', 'node1', '[node1]:2222'],
    ['a port, asked without', '[node1]:2222', 'node1'],
    ['a pattern and its exception', '*.org,!bad.org', 'bad.org'],
    ['an exception before the pattern', '!bad.org,*.org', 'bad.org'],
    ['an exception alone', '!good.org', 'bad.org'],
  ])('does not know a host by %s', (_, hosts, name) => {
    expect(judge(`${hosts} ${first.line}\n`, name, first.key)).toEqual({ kind: 'unknown', isCertified: false });
  });

  it('knows hashed names, as ssh-keygen -H makes them', () => {
    const file = newFile(`node1 ${first.line}\n[node1]:2222 ${second.line}\n`);
    execFileSync('ssh-keygen', ['-q', '-H', '-f', file], { stdio: 'ignore' });
    const text = readFileSync(file, 'utf8');
    expect(text).not.toContain('node1');
    expect(judge(text, 'node1', first.key).kind).toBe('known');
    expect(judge(text, '[node1]:2222', second.key).kind).toBe('known');
    expect(judge(text, 'node2', first.key).kind).toBe('unknown');
  });

  it('tells a changed key from an unknown host, the old key of the same type first', () => {
    const text = `# comment\nnode1 ${rsa.line}\n\nnode1 ${first.line} a comment\n`;
    expect(judge(text, 'node1', second.key)).toMatchObject({
      kind: 'changed',
      entries: [{ line: 4 }, { line: 2 }],
    });
    expect(judge(text, 'node2', second.key).kind).toBe('unknown');
    expect(judge(text, 'node1', rsa.key).kind).toBe('known');
    // As OpenSSH: none of the known types counts as changed.
    expect(judge(`node1 ${rsa.line}\n`, 'node1', first.key).kind).toBe('changed');
  });

  it('refuses a revoked key although another line knows it', () => {
    const text = `node1 ${first.line}\n@revoked * ${first.line}\n`;
    expect(judge(text, 'node1', first.key)).toMatchObject({ kind: 'revoked', entry: { line: 2 } });
    expect(judge(text, 'node1', second.key).kind).toBe('changed');
    expect(judge(`@revoked node2 ${first.line}\n`, 'node1', first.key).kind).toBe('unknown');
  });

  it('takes no certificate authority for a host key, and says that there is one', () => {
    expect(judge(`@cert-authority * ${first.line}\n`, 'node1', first.key)).toEqual({
      kind: 'unknown',
      isCertified: true,
    });
  });

  it('leaves out what OpenSSH would not take', () => {
    const damaged = [
      'node1',
      'node1 ssh-ed25519',
      'node1 ssh-ed25519 !!!!',
      `node1 ssh-rsa ${first.line.split(' ')[1]}`,
      'node1 1024 35 123',
      `@other node1 ${first.line}`,
      '|1|xx node1',
    ];
    expect(parseKnownHosts(`${damaged.join('\n')}\nnode1 ${first.line}\r\n`, 'f')).toMatchObject([{ line: 8 }]);
  });

  it('never throws, whatever stands in it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string(), (text, name) => {
        judge(`${text}\n|1|${text}|${text} ${first.line}\n${text} ${first.line}`, name, first.key);
      }),
    );
  });

  it('matches patterns as a plain regular expression does, also where that would take for ever', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 8 });
    fc.assert(
      fc.property(letters, fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 10 }), (pattern, text) => {
        const regular = new RegExp(`^${pattern.replaceAll('*', '.*').replaceAll('?', '.')}$`);
        expect(matchesGlob(pattern, text)).toBe(regular.test(text));
      }),
    );
    expect(matchesGlob(`${'*a'.repeat(500)}b`, 'a'.repeat(2000))).toBe(false);
  });

  it('names the types that are known', () => {
    const text = `node1 ${rsa.line}\n@revoked node1 ${first.line}\nnode2 ${first.line}\n`;
    expect([...knownKeyTypes(parseKnownHosts(text, 'f'), 'node1')]).toEqual(['ssh-rsa']);
  });

  it('prints fingerprints as ssh-keygen does', () => {
    for (const { key, file } of [first, rsa]) {
      expect(execFileSync('ssh-keygen', ['-lf', file]).toString()).toContain(` ${fingerprint(key)} `);
    }
  });

  it('writes the port only when it is not 22', () => {
    expect([knownName('Node1', 22), knownName('node1', 2222), knownName('fe80::1', 2222)]).toEqual([
      'node1',
      '[node1]:2222',
      '[fe80::1]:2222',
    ]);
  });
});

describe('a new host key', () => {
  it('is added for its owner alone, and ssh-keygen finds it', async () => {
    const file = join(folder, 'new', 'deep', 'known_hosts');
    await addKnownHost(file, '[10.4.7.21]:2222', first.key, false);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, 'new', 'deep')).mode & 0o777).toBe(0o700);
    expect(execFileSync('ssh-keygen', ['-F', '[10.4.7.21]:2222', '-f', file]).toString()).toContain(first.line);
  });

  it('is hashed in a file that is, or when that is wanted, and ssh-keygen finds it', async () => {
    for (const [text, isHashed] of [
      [`${knownHostLine('other', second.key, true)}\n`, false],
      ['', true],
    ] as const) {
      const file = newFile(text);
      await addKnownHost(file, 'node1', first.key, isHashed);
      expect(readFileSync(file, 'utf8')).not.toContain('node1');
      expect(execFileSync('ssh-keygen', ['-F', 'node1', '-f', file]).toString()).toContain(first.line);
    }
  });

  it('begins on a line of its own in a file that ends without one', async () => {
    const file = newFile(`other ${second.line}`);
    await addKnownHost(file, 'node1', first.key, false);
    expect(readFileSync(file, 'utf8')).toBe(`other ${second.line}\nnode1 ${first.line}\n`);
  });

  it('is not lost when many are added at once', async () => {
    const file = newFile();
    await Promise.all(Array.from({ length: 40 }, (_, index) => addKnownHost(file, `node${index}`, first.key, false)));
    const lines = await readKnownHosts({ user: [file], global: [] });
    expect(new Set(lines.map(({ hosts }) => hosts)).size).toBe(40);
    expect(lines.every((line) => isAbout(line, line.hosts))).toBe(true);
  });

  it('is not accepted when it cannot be recorded', async () => {
    await expect(addKnownHost(join(first.file, 'known_hosts'), 'node1', first.key, false)).rejects.toMatchObject({
      code: 'known-hosts-unwritable',
    });
  });
});

describe('several known_hosts files', () => {
  it('are read as one; those that are not there are passed over, those that cannot be read are not', async () => {
    const [one, two] = [newFile(`node1 ${first.line}\n`), newFile(`@revoked * ${first.line}\n`)];
    const lines = await readKnownHosts({ user: [one, join(folder, 'none')], global: [two] });
    expect(judgeHostKey(lines, 'node1', first.key)).toMatchObject({ kind: 'revoked', entry: { file: two } });
    await expect(readKnownHosts({ user: [folder], global: [] })).rejects.toMatchObject({
      code: 'known-hosts-unreadable',
    });
  });
});
