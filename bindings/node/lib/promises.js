// Promises that signals or time end, or that are made once.
'use strict';

// As new Promise(start), but rejects when `signal` aborts, and then calls what start() returned, if anything.
function abortable(signal, start) {
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    let stop;
    const abort = () => {
      stop?.();
      reject(signal.reason);
    };
    const settle = (how) => (value) => {
      signal?.removeEventListener('abort', abort);
      how(value);
    };
    signal?.addEventListener('abort', abort, { once: true });
    try {
      stop = start(settle(resolve), settle(reject));
    } catch (error) {
      settle(reject)(error);
    }
  });
}

// Resolves to what use(signal) does, with a signal that aborts with the first of `signals`, or after `ms` with reason().
// AbortSignal.any() leaves some bytes of every call in a signal that outlives it.
async function within(signals, ms, reason, use) {
  const controller = new AbortController();
  const follow = ({ target }) => controller.abort(target.reason);
  for (const signal of signals) {
    if (signal.aborted) controller.abort(signal.reason);
    signal.addEventListener('abort', follow, { once: true });
  }
  // Timers take at most 31 bits.
  const timer = ms < 2 ** 31 ? setTimeout(() => controller.abort(reason()), ms) : undefined;
  try {
    return await use(controller.signal);
  } finally {
    clearTimeout(timer);
    for (const signal of signals) signal.removeEventListener('abort', follow);
  }
}

// A function that gives the promise of open(). After a failure, its next call tries again.
function once(open) {
  let promise;
  return () => (promise ??= open().catch((error) => {
    promise = undefined;
    throw error;
  }));
}

module.exports = { abortable, once, within };
