// One exchange over fetch: attempts, bounded replies, and which failures are worth another attempt.
'use strict';

const { ThimbleError } = require('../errors.js');
const { scope, sleep } = require('./scope.js');
const { common } = require('./table.js');

const POLICY = common.retry;
const CERTIFICATE = /^(CERT_|ERR_TLS|ERR_SSL|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO)/;

// A failure, whether the same request may succeed later, and after how many milliseconds if the server says so.
class Failure {
  constructor(error, again, afterMs) {
    this.error = error;
    this.again = again;
    this.afterMs = afterMs;
  }
}

// Sends `request` { url, method, headers, body, where } and resolves to { status, headers, text } of an answer below 300.
// `describeError(status, text)` gives the error of any other answer. `deadline` is in the time of performance.now().
async function exchange(request, { signal, deadline, mostBytes, maxRetries = POLICY.attempts - 1, describeError }) {
  for (let attempt = 1; ; ++attempt) {
    signal.throwIfAborted();
    const outcome = await attemptOnce(request, signal, mostBytes, describeError);
    if (!(outcome instanceof Failure)) return outcome;
    signal.throwIfAborted();
    const { error, again, afterMs } = outcome;
    if (!again || attempt > maxRetries) throw error;
    const delay = afterMs ?? Math.random() * Math.min(POLICY.mostDelayMs, POLICY.firstDelayMs * 2 ** (attempt - 1));
    const most = deadline === Infinity ? POLICY.mostAfterMs : deadline - performance.now();
    if (delay > most) {
      if (afterMs !== undefined) error.message += `; it asks to come back in ${Math.ceil(afterMs / 1000)} s`;
      throw error;
    }
    await sleep(delay, signal);
  }
}

async function attemptOnce({ url, method, headers, body, where }, signal, mostBytes, describeError) {
  const { attemptTimeoutMs } = common.defaults;
  const limit = scope(signal, attemptTimeoutMs, () => new ThimbleError('io', `${where}: no whole reply within ${attemptTimeoutMs} ms`));
  try {
    const response = await fetch(url, { method, headers, body, redirect: 'manual', signal: limit.signal });
    if (response.type === 'opaqueredirect' || response.status >= 300 && response.status < 400) {
      response.body?.cancel().catch(() => {});
      return new Failure(new ThimbleError('io', `${where}: status ${response.status}: a redirect, which is not followed ` +
        'because of the key; use the address that the provider names as the base URL'), false);
    }
    const good = response.ok;
    const text = await read(response, good ? mostBytes : common.reply.bytes);
    if (good && text === undefined) {
      return new Failure(new ThimbleError('corrupt', `${where}: the reply has more than the ${mostBytes} bytes that it can need`), false);
    }
    if (good) return { headers: response.headers, text };
    const should = response.headers.get(POLICY.should);
    const again = POLICY.statuses.includes(response.status) || response.status >= POLICY.statusesFrom;
    return new Failure(describeError(response.status, text ?? ''), should === 'true' || (again && should !== 'false'),
      askedDelay(response.headers));
  } catch (error) {
    if (limit.signal.aborted) {
      if (signal.aborted) throw signal.reason;
      return new Failure(limit.signal.reason, true);
    }
    const code = error?.cause?.code ?? error?.code;
    const reason = error?.cause?.message || error?.message || String(error);
    return new Failure(new ThimbleError('io', `${where}: ${reason}`), !CERTIFICATE.test(code ?? ''));
  } finally {
    limit.end();
  }
}

// The body as text; undefined, and the connection closed, if it has more bytes than these.
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

// Milliseconds that the server asks to wait; undefined if it says nothing that can be understood.
function askedDelay(headers) {
  const ms = headers.get(POLICY.afterMs) ?? '';
  if (/^\d+(\.\d+)?$/.test(ms)) return Number(ms);
  const after = headers.get(POLICY.after) ?? '';
  if (/^\d+(\.\d+)?$/.test(after)) return 1000 * Number(after);
  const date = /[a-z]/i.test(after) ? Date.parse(after) : NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

module.exports = { exchange };
