// The built main with one command, `act`, that behaves as its argument says: for what only a process can show.
'use strict';

const path = require('node:path');
const core = require(path.join(__dirname, '../../dist/netctl.cjs'));

const acts = {
  /** 20 MB, more than any pipe holds. */
  flood: async () => {
    for (let row = 0; row < 20; row++) process.stdout.write(`${'x'.repeat(999_999)}\n`);
  },
  wait: async () => {
    process.stdout.write('waiting\n');
    await new Promise((resolve) => setTimeout(resolve, 20_000));
  },
  /** A change that is on its way when Ctrl-C comes. */
  change: () =>
    core.uninterrupted(async () => {
      process.stdout.write('begun\n');
      await new Promise((resolve) => setTimeout(resolve, 700));
      process.stdout.write('written\n');
    }),
  throw: async () => {
    throw new TypeError('nobody thought of it');
  },
};

core.endQuietlyWhenCutOff();
core
  .main(process.argv.slice(2), {
    root: path.join(__dirname, '../..'),
    version: '0.0.0',
    description: 'A stand-in',
    topics: {},
    commands: { act: { id: 'act', aliases: [], flags: {}, args: {} } },
    load: () => ({ run: ([act]) => acts[act]() }),
  })
  .then((code) => process.exit(code));
