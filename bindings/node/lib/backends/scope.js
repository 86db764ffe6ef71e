// Limits in time, as signals.
'use strict';

// A signal that aborts with `parent`, or after `ms` with the reason that reason() gives. end() must be called.
function scope(parent, ms, reason) {
  const controller = new AbortController();
  const follow = () => controller.abort(parent.reason);
  if (parent?.aborted) follow();
  parent?.addEventListener('abort', follow, { once: true });
  // A timer takes 31 bits.
  const timer = ms < 2 ** 31 ? setTimeout(() => controller.abort(reason()), ms) : undefined;
  return {
    signal: controller.signal,
    end() {
      clearTimeout(timer);
      parent?.removeEventListener('abort', follow);
    },
  };
}

// Rejects with the reason of `signal`.
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

// What `promise` gives, unless `signal` aborts before.
function unlessAborted(promise, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

// At most so many at a time, in the order in which they asked.
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

  // The slot goes to whoever waits longest.
  give() {
    const next = this.#waiting.shift();
    if (next) next();
    else ++this.#free;
  }
}

module.exports = { Slots, scope, sleep, unlessAborted };
