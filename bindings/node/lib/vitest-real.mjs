// A setup file of vitest for integration tests: embedding functions use the real model, whatever the run says.

delete process.env.THIMBLE_BACKEND;
