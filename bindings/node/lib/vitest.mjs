// A setup file of vitest for unit tests: every embedding function of the run is the mock, and no model is needed.
//
//   export default defineConfig({ test: { setupFiles: ['thimble/vitest'] } });

process.env.THIMBLE_BACKEND = 'mock';
