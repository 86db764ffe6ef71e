// One exchange over fetch: bounded replies, and which failures are retried.
'use strict';

const { ThimbleError } = require('../errors.js');
const { abortable, within } = require('../promises.js');
const { common } = require('./table.js');

const POLICY = common.retry;
const CERTIFICATE = /^(CERT_|ERR_TLS|ERR_SSL|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO)/;

// A failed attempt; `again` is whether the same request may succeed later, `afterMs` the delay that the server asks for.
class Failure {
  constructor(error, again, afterMs) {
    this.error = error;
    this.again = again;
    this.afterMs = afterMs;
  }
}

// Sends `request` { url, method, headers, body, where }; resolves to { headers, text } of a status of 2xx.
// describeError(status, text) makes the error of any other. `deadline` is a time of performance.now().
async function exchange(request, options) {
  const { signal, deadline, mostBytes, maxRetries = POLICY.attempts - 1, describeError } = options;
  for (let attempt = 1; ; ++attempt) {
    signal.throwIfAborted();
    const outcome = await attemptOnce(request, signal, mostBytes, describeError);
    if (!(outcome instanceof Failure)) return outcome;
    signal.throwIfAborted();
    const { error, again, afterMs } = outcome;
    if (!again || attempt > maxRetries) throw error;
    const backoff = Math.min(POLICY.mostDelayMs, POLICY.firstDelayMs * 2 ** (attempt - 1));
    const delay = afterMs ?? Math.random() * backoff;
    const most = deadline === Infinity ? POLICY.mostAfterMs : deadline - performance.now();
    if (delay > most) {
      if (afterMs !== undefined) error.message += `; try again in ${Math.ceil(afterMs / 1000)} s`;
      throw error;
    }
    await sleep(delay, signal);
  }
}

// Rejects with the reason of `signal` if that aborts.
const sleep = (ms, signal) => abortable(signal, (resolve) => {
  const timer = setTimeout(resolve, ms);
  return () => clearTimeout(timer);
});

async function attemptOnce({ url, method, headers, body, where }, signal, mostBytes, describeError) {
  const { attemptTimeoutMs } = common.defaults;
  const late = () => new ThimbleError('io', `${where}: no complete reply within ${attemptTimeoutMs} ms`);
  return within([signal], attemptTimeoutMs, late, async (limited) => {
    try {
      const response = await fetch(url, { method, headers, body, redirect: 'manual', signal: limited });
      if (response.type === 'opaqueredirect' || response.status >= 300 && response.status < 400) {
        response.body?.cancel().catch(() => {});
        return new Failure(new ThimbleError('io', `${where}: status ${response.status}: a redirect, which thimble does not ` +
          'follow, because the key is for one address only; pass the final address as baseUrl'), false);
      }
      const good = response.ok;
      const text = await read(response, good ? mostBytes : common.reply.bytes);
      if (good && text === undefined) {
        const message = `${where}: the reply has more than the ${mostBytes} bytes that it can need`;
        return new Failure(new ThimbleError('corrupt', message), false);
      }
      if (good) return { headers: response.headers, text };
      const should = response.headers.get(POLICY.should);
      const again = POLICY.statuses.includes(response.status) || response.status >= POLICY.statusesFrom;
      return new Failure(describeError(response.status, text ?? ''), should === 'true' || (again && should !== 'false'),
        askedDelay(response.headers));
    } catch (error) {
      if (limited.aborted) return new Failure(limited.reason, true);
      const code = error?.cause?.code ?? error?.code;
      return new Failure(new ThimbleError('io', `${where}: ${reasonOf(error)}`), !CERTIFICATE.test(code ?? ''));
    }
  });
}

function reasonOf(error) {
  const { cause } = error ?? {};
  // The message of OpenSSL is a line with addresses and its own sources.
  if (cause?.library === 'SSL routines') return `TLS: ${cause.reason}`;
  return cause?.message || error?.message || String(error);
}

// The body as text. If it has more than `most` bytes, undefined, and the connection is closed.
async function read(response, most) {
  if (!response.body) return '';
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let text = '', bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    bytes += value.length;
    if (bytes > most) {
      reader.cancel().catch(() => {});
      return undefined;
    }
    text += decoder.decode(value, { stream: true });
  }
}

// The delay that the server asks for; undefined if it asks for none, or for nonsense.
function askedDelay(headers) {
  const ms = headers.get(POLICY.afterMs) ?? '';
  if (/^\d+(\.\d+)?$/.test(ms)) return Number(ms);
  const after = headers.get(POLICY.after) ?? '';
  if (/^\d+(\.\d+)?$/.test(after)) return 1000 * Number(after);
  const date = /[a-z]/i.test(after) ? Date.parse(after) : NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

module.exports = { exchange };
