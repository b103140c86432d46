import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { unitFiles } from '../../src/lib/fact/unit-files';
import { knownValue, whyOf } from './captured';
import { shellHost } from './shell-host';

const folder = mkdtempSync(join(tmpdir(), 'netctl-unit-files-'));
const at = (name: string): string => join(folder, name);
const unitPath = at('docker.service');
const plain = at('10.conf');
const blank = at('my own file.conf');
const odd = at('50-"$(touch ran)\\x41 ü.conf');

beforeAll(() => {
  for (const path of [unitPath, plain, blank, odd]) writeFileSync(path, `[Service]\n# ${path}\n`);
  mkdirSync(at('bin'));
  writeFileSync(
    at('bin/systemctl'),
    `#!/bin/sh\n[ "$1 $8" = "show docker.service" ] || exit 3\ncat '${at('answer')}'\n`,
    { mode: 0o755 },
  );
  mkdirSync(at('busybox'));
  const applets = ['awk', 'base64', 'cat', 'head', 'sed', 'sh', 'tr'];
  for (const applet of applets) symlinkSync('/usr/bin/busybox', at(`busybox/${applet}`));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const shells: readonly (readonly [string, readonly [string, ...string[]], string])[] = [
  ['dash', ['dash'], `${at('bin')}:${process.env['PATH'] ?? ''}`],
  ['bash', ['bash', '--norc'], `${at('bin')}:${process.env['PATH'] ?? ''}`],
  ['busybox', ['/usr/bin/busybox', 'sh'], `${at('bin')}:${at('busybox')}`],
];

describe.each(shells)('the files of a unit, asked with %s', (_, shell, path) => {
  const fact = unitFiles('docker.service');
  const ask = async (dropIns: string) => {
    writeFileSync(at('answer'), `FragmentPath=${unitPath}\nDropInPaths=${dropIns}\n`);
    return fact.parse(await shellHost(shell, { PATH: path }).run(fact.command));
  };
  const paths = async (dropIns: string) => knownValue(await ask(dropIns)).map((file) => file.path);

  it('are its own and its drop-ins, in their order', async () => {
    expect(await paths('')).toEqual([unitPath]);
    expect(knownValue(await ask(plain))).toEqual([
      { path: unitPath, text: `[Service]\n# ${unitPath}\n` },
      { path: plain, text: `[Service]\n# ${plain}\n` },
    ]);
  });

  it('are read when there is a blank in a path, however systemd writes it', async () => {
    // As systemd 252 prints them, seen on a Debian 12.
    const quoted = odd.replace(/["\\$]/g, '\\$&');
    expect(await paths(`${plain} "${blank}" "${quoted}"`)).toEqual([unitPath, plain, blank, odd]);
    // As systemd 219 does.
    expect(await paths(`${blank.replaceAll(' ', '\\x20')} ${plain}`)).toEqual([unitPath, blank, plain]);
    expect(existsSync(at('ran')) || existsSync('ran')).toBe(false);
  });

  it('are not known when one is not told of, or cannot be read', async () => {
    expect(whyOf(await ask(`${plain} [unprintable]`))).toContain('there is a blank in it');
    expect(whyOf(await ask(`${plain} ${at('gone.conf')}`))).toBe('a file of docker.service cannot be read');
  });
});
