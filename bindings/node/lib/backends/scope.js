// Limits of time and of concurrency.
'use strict';

const { abortable } = require('../promises.js');

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

// Rejects with the reason of `signal` if that aborts.
const sleep = (ms, signal) => abortable(signal, (resolve) => {
  const timer = setTimeout(resolve, ms);
  return () => clearTimeout(timer);
});

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
    await abortable(signal, (next) => {
      this.#waiting.push(next);
      return () => this.#waiting.splice(this.#waiting.indexOf(next), 1);
    });
  }

  give() {
    const next = this.#waiting.shift();
    if (next) next();
    else ++this.#free;
  }
}

module.exports = { Slots, scope, sleep };
