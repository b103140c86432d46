import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NetctlError } from '../../src/lib/errors';
import { findInventory, loadInventory, readInventoryFile } from '../../src/lib/inventory/find-inventory';

let root = '';
let cwd = '';
let home = '';
const write = (file: string, text = 'etcd: { prefix: /x }\n'): string => {
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, text);
  return file;
};

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'netctl-find-'));
  cwd = join(root, 'work');
  home = join(root, 'home');
  mkdirSync(cwd);
  mkdirSync(home);
});
afterEach(() => rmSync(root, { recursive: true }));

const find = (config?: string, env: NodeJS.ProcessEnv = {}) =>
  findInventory({ config, env: { HOME: home, ...env }, cwd });

describe('the inventory is looked for', () => {
  it('nowhere found is no error', async () => expect(await find()).toBeUndefined());

  it('in the order flag, variable, working directory, configuration directory', async () => {
    const user = write(join(home, '.config', 'netctl', 'netctl.yaml'));
    expect(await find()).toMatchObject({ file: user, by: 'configuration directory' });
    const xdg = write(join(root, 'xdg', 'netctl', 'netctl.yml'));
    expect(await find(undefined, { XDG_CONFIG_HOME: join(root, 'xdg') })).toMatchObject({ file: xdg });
    expect(await find(undefined, { XDG_CONFIG_HOME: 'relative' })).toMatchObject({ file: user });
    const yml = write(join(cwd, 'netctl.yml'));
    expect(await find()).toMatchObject({ file: yml, by: 'working directory', shownAs: 'netctl.yml' });
    const yaml = write(join(cwd, 'netctl.yaml'));
    expect(await find()).toMatchObject({ file: yaml, ignored: ['netctl.yml'] });
    const variable = write(join(root, 'variable.yaml'));
    expect(await find(undefined, { NETCTL_CONFIG: variable })).toMatchObject({ file: variable, by: 'NETCTL_CONFIG' });
    const flag = write(join(cwd, 'sub', 'flag.yaml'));
    expect(await find('sub/flag.yaml', { NETCTL_CONFIG: variable })).toMatchObject({
      file: flag,
      by: '--config',
      shownAs: 'sub/flag.yaml',
    });
  });

  it('a directory of that name is passed over where nothing was named', async () => {
    mkdirSync(join(cwd, 'netctl.yaml'));
    expect(await find()).toBeUndefined();
  });

  it.each([
    ['that is not there', 'nope.yaml', 'inventory-not-found', '--config: there is no file "nope.yaml"'],
    ['below a file', 'file/x.yaml', 'inventory-not-found', '--config: there is no file "file/x.yaml"'],
    ['that is a directory', '.', 'inventory-unreadable', '--config: "." is a directory; name the file in it'],
  ])('one that was named %s is an error', async (_what, name, code, message) => {
    write(join(cwd, 'file'));
    await expect(find(name)).rejects.toMatchObject({ code, message });
  });

  it('an empty variable names nothing', async () =>
    expect(await find(undefined, { NETCTL_CONFIG: '' })).toBeUndefined());
});

describe('the inventory is read', () => {
  it('and parsed, with messages that call it as a person would', async () => {
    write(join(cwd, 'netctl.yaml'), 'etcd: { prefx: /x }\n');
    await expect(loadInventory({ env: { HOME: home }, cwd })).rejects.toMatchObject({
      code: 'inventory-invalid',
      details: ['netctl.yaml:1:16 etcd.prefx: is not a key of an inventory; try prefix:'],
    });
  });

  it.each([
    ['a device without an end', '/dev/zero', 'inventory-too-large'],
    ['a file that has gone', '/nowhere/netctl.yaml', 'inventory-unreadable'],
  ])('%s is refused', async (_what, file, code) => {
    const error: unknown = await readInventoryFile({ file, shownAs: file }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(NetctlError);
    expect(error).toMatchObject({ code });
  });
});
