// What the tests share: small random models, and programs run in processes of their own.

import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..');
export const build = join(root, '..', '..', 'build');
export const fixtures = join(root, 'test', 'fixtures');
// Of the random models: FOLDER/small-DTYPE.safetensors.
export const DIMENSIONS = 64;
// The folder of the real model, in runs that have one.
export const realModels = process.env.THIMBLE_REAL_MODEL;

// What a test is skipped for: false if what it needs was found; where THIMBLE_REQUIRE says that this run is meant to have it,
// an error.
export function need(found, what) {
  if (!found && process.env.THIMBLE_REQUIRE) {
    throw new Error(`${what}: not found, and THIMBLE_REQUIRE is set; "make test" makes or installs it`);
  }
  return found ? false : `${what}: not found`;
}

export const needRealModel = () => need(realModels, 'THIMBLE_REAL_MODEL, the folder that scripts/models/model.sh fills');

export function temporaryFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'thimble-node-'));
  process.on('exit', () => {
    try {
      rmSync(folder, { recursive: true, force: true });
    } catch (error) {
      if (process.platform !== 'win32') throw error;  // Which removes no file that is mapped.
    }
  });
  return folder;
}

// A folder with the models small and other, in every dtype.
export function modelFolder() {
  const folder = temporaryFolder();
  // Made before, where this Node.js cannot start the program.
  if (process.env.THIMBLE_MADE_MODELS) cpSync(process.env.THIMBLE_MADE_MODELS, folder, { recursive: true });
  else execFileSync(join(build, 'make_test_model'), [folder]);
  for (const dtype of ['fp32', 'fp16', 'q8', 'q6', 'q4', 'q4-small']) {
    renameSync(join(folder, `${dtype}.safetensors`), join(folder, `small-${dtype}.safetensors`));
  }
  return folder;
}

// Runs a module, given as its text; it can import 'thimble' by `from(file)`. Resolves to {code, signal, out, err}.
export function runModule(text, { environment = {}, flags = [], cwd = root } = {}) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [...flags, '--input-type=module', '--eval', text],
      { cwd, env: { ...process.env, ...environment } });
    let out = '', err = '';
    child.stdout.on('data', (data) => (out += data));
    child.stderr.on('data', (data) => (err += data));
    child.on('close', (code, signal) => resolve({ code, signal, out, err }));
  });
}

// The import specifier of a file of lib.
export const lib = (file) => JSON.stringify(pathToFileURL(join(root, 'lib', file)).href);

export function cosine(a, b) {
  let ab = 0, aa = 0, bb = 0;
  for (let i = 0; i < a.length; ++i) {
    ab += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return ab / Math.sqrt(aa * bb);
}

export const words = (count) => Array.from({ length: count }, (_, i) => ['memory', 'small', 'vector', 'good'][i % 4]).join(' ');
