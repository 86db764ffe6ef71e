#!/usr/bin/env node
// npx thimble: runs the command line that comes with the platform's package, or that was built here.
'use strict';

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const { candidates } = require('../lib/addon.js');

function findProgram() {
  const tried = [];
  for (const [what, find] of candidates(process.platform === 'win32' ? 'thimble.exe' : 'thimble')) {
    try {
      const program = find();
      fs.accessSync(program, fs.constants.X_OK);
      return program;
    } catch (error) {
      tried.push(`  ${what}: ${error.message.split('\n')[0]}`);
    }
  }
  console.error(`thimble: no command line for ${process.platform}-${process.arch}. Tried:\n${tried.join('\n')}\n` +
    'Build it from source with make, or set THIMBLE_CLI to its path.');
  process.exit(1);
}

const child = spawn(findProgram(), process.argv.slice(2), { stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('error', (error) => {
  console.error(`thimble: ${error.message}`);
  process.exit(1);
});
child.on('exit', (code, signal) => {
  if (signal === null) process.exit(code);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
});
