#!/usr/bin/env node
// npx thimble: runs the command line that comes with the platform's package, or that was built here.
'use strict';

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { LOCAL_BUILD, platforms } = require('../lib/addon.js');

// What list and rm take. They need no more than the addon.
const HERE = {
  list: { options: { json: { type: 'boolean' } }, operands: [] },
  rm: { options: { dtype: { type: 'string' } }, operands: ['NAME'] },
};

function fail(command, message, code) {
  console.error(`thimble ${command}: ${message}`);
  process.exit(code);
}

// Whether the command was one of them, and is done.
function runHere([command, ...args]) {
  if (!Object.hasOwn(HERE, command ?? '')) return false;
  const { options, operands } = HERE[command];
  let parsed;
  try {
    parsed = parseArgs({ args, allowPositionals: true, options });
  } catch (error) {
    fail(command, error.message, 2);
  }
  const { values: { json, dtype }, positionals } = parsed;
  if (positionals.length !== operands.length) {
    fail(command, `expected ${operands.join(' ') || 'no arguments'}, found ${positionals.join(' ') || 'none'}`, 2);
  }
  try {
    const { list, remove } = require('../lib/index.js');
    if (command === 'rm') {
      for (const { path } of remove(positionals[0], { dtype })) console.log(path);
    } else if (json) {
      console.log(JSON.stringify({ models: list() }));
    } else {
      for (const { name, dtype: kept, bytes, repository } of list()) {
        console.log(`${name}  ${kept}  ${(bytes * 1e-6).toFixed(1)} MB  ${repository}`.trimEnd());
      }
    }
  } catch (error) {
    fail(command, error.message, 1);
  }
  return true;
}

// [what, function that gives the path of the command line], in the order in which they are tried.
function candidates() {
  const { THIMBLE_CLI: given } = process.env;
  if (given) return [['THIMBLE_CLI', () => given]];
  const file = process.platform === 'win32' ? 'thimble.exe' : 'thimble';
  return [
    ...platforms().map((name) => [`@thimble/${name}`, () => require.resolve(`@thimble/${name}/${file}`)]),
    ['local build', () => path.join(LOCAL_BUILD, file)],
  ];
}

function findProgram() {
  const tried = [];
  for (const [what, find] of candidates()) {
    try {
      const program = find();
      fs.accessSync(program, fs.constants.X_OK);
      return program;
    } catch (error) {
      tried.push(`  ${what}: ${error.message.split('\n')[0]}`);
    }
  }
  if (runHere(process.argv.slice(2))) process.exit(0);
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
