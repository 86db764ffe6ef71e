import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['unit.spec.mjs'], setupFiles: ['thimble/vitest'] } },
      {
        test: {
          name: 'real', include: ['real.spec.mjs'], setupFiles: ['thimble/vitest/real'],
          env: { THIMBLE_BACKEND: 'mock', THIMBLE_HOME: process.env.THIMBLE_TEST_MODELS },
        },
      },
    ],
  },
});
