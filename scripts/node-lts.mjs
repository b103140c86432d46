// Puts the current Node LTS, as npm's `node` package ships it, into .cache/node-lts and prints the path of its binary.
// The built CLI is tested on it: NETCTL_TEST_NODE=$(node scripts/node-lts.mjs) npx vitest run test/built
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { arch, platform } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// `node` itself only has an install script that fetches this; taken directly it works with --ignore-scripts too.
const release = '26.10.0';
const name = `node-${platform()}-${arch()}`;
const folder = fileURLToPath(new URL(`../.cache/node-lts/${release}`, import.meta.url));
const binary = join(folder, 'node_modules', name, 'bin/node');

function isThere() {
  return existsSync(binary) && spawnSync(binary, ['--version'], { encoding: 'utf8' }).stdout.trim() === `v${release}`;
}

if (!isThere()) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  const argv = [
    'install',
    '--no-save',
    '--no-audit',
    '--no-fund',
    '--ignore-scripts',
    '--loglevel=error',
    `${name}@${release}`,
  ];
  const { status } = spawnSync('npm', argv, { cwd: folder, stdio: ['ignore', 2, 'inherit'] });
  if (status !== 0 || !isThere()) {
    console.error(
      `node-lts: npm could not install ${name}@${release}; the tests on the current Node LTS need it (about 190 MB)`,
    );
    process.exit(1);
  }
}
console.log(binary);
