#!/usr/bin/env node
// netctl as the sources are now: builds (half a second), then runs what was built, so that it behaves as bin/run.js does.

const { spawnSync } = require('node:child_process');
const path = require('node:path');

const { status } = spawnSync(process.execPath, [path.join(__dirname, '..', 'scripts', 'build.mjs')], {
  stdio: ['ignore', 2, 'inherit'],
});
if (status === 0) require('./run.js');
else process.exitCode = 1;
