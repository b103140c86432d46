// The commands from their sources, as dist/netctl.cjs has them from the bundle: for bin/dev.js, the manifest and the docs.
'use strict';

require('tsx/cjs');
const { readdirSync } = require('node:fs');
const path = require('node:path');

const folder = path.join(__dirname, '..', 'src', 'commands');

/** `src/commands/a/b.ts` → `a:b`: adding a file is all that it takes to add a command. */
function commandFiles() {
  return readdirSync(folder, { recursive: true })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => ({
      id: file.slice(0, -'.ts'.length).split(path.sep).join(':'),
      file: file.split(path.sep).join('/'),
    }))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

const COMMANDS = {};
for (const { id, file } of commandFiles()) {
  Object.defineProperty(COMMANDS, id, { enumerable: true, get: () => require(path.join(folder, file)).default });
}

module.exports = { COMMANDS, commandFiles };
