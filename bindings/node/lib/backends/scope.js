// Limits of time and of concurrency.
'use strict';

// A signal that aborts with `parent`, or after `ms` with reason(). The caller must call end().
function scope(parent, ms, reason) {
  const controller = new AbortController();
  const follow = () => controller.abort(parent.reason);
  if (parent?.aborted) follow();
  parent?.addEventListener('abort', follow, { once: true });
  // Timers take at most 31 bits.
  const timer = ms < 2 ** 31 ? setTimeout(() => controller.abort(reason()), ms) : undefined;
  return {
    signal: controller.signal,
    end() {
      clearTimeout(timer);
      parent?.removeEventListener('abort', follow);
    },
  };
}

// Resolves to what use(signal) does, with a signal that aborts with the first of `signals`, none of which is aborted
// yet. AbortSignal.any() leaves some bytes of every call in a signal that outlives it.
async function withSignals(signals, use) {
  if (signals.length < 2) return use(signals[0]);
  const controller = new AbortController();
  const follow = ({ target }) => controller.abort(target.reason);
  for (const signal of signals) signal.addEventListener('abort', follow, { once: true });
  try {
    return await use(controller.signal);
  } finally {
    for (const signal of signals) signal.removeEventListener('abort', follow);
  }
}

// Rejects with the reason of `signal` if that aborts.
function sleep(ms, signal) {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal.addEventListener('abort', stop, { once: true });
  });
}

// The promise, or a rejection with the reason of `signal` if that aborts earlier.
function unlessAborted(promise, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

// A semaphore; waiters proceed in the order in which they came.
class Slots {
  #free;
  #waiting = [];

  constructor(count) {
    this.#free = count;
  }

  async take(signal) {
    signal.throwIfAborted();
    if (this.#free > 0) {
      --this.#free;
      return;
    }
    await new Promise((resolve, reject) => {
      const stop = () => {
        this.#waiting.splice(this.#waiting.indexOf(next), 1);
        reject(signal.reason);
      };
      const next = () => {
        signal.removeEventListener('abort', stop);
        resolve();
      };
      this.#waiting.push(next);
      signal.addEventListener('abort', stop, { once: true });
    });
  }

  give() {
    const next = this.#waiting.shift();
    if (next) next();
    else ++this.#free;
  }
}

module.exports = { Slots, scope, sleep, unlessAborted, withSignals };
