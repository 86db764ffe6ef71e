// Bodies of requests and replies, as the table describes them.
'use strict';

const { ThimbleError, describe, unsupported } = require('../errors.js');
const { at, common } = require('./table.js');

const utf8 = new TextEncoder();

// [begin, end) of each request: at most `mostTexts` texts, and `mostBytes` bytes unless it is a single text.
function* batches(texts, mostTexts, mostBytes) {
  for (let begin = 0, end = 0; begin < texts.length; begin = end) {
    let bytes = 0;
    for (; end < texts.length && end - begin < mostTexts; ++end) {
      bytes += utf8.encode(texts[end]).length;
      if (bytes > mostBytes && end > begin) break;
    }
    yield [begin, end];
  }
}

// The value to send for an input type; undefined: none. Throws if the dialect does not have it.
function inputTypeOf(name, dialect, promptName) {
  const { inputType } = dialect;
  const wanted = promptName ?? inputType?.default ?? '';
  if (wanted === '') return undefined;
  if (inputType === null) throw unsupported(`promptName ${describe(wanted)}: ${name} has no input types`);
  if (inputType.values === null) return wanted;
  if (Object.hasOwn(inputType.values, wanted)) return inputType.values[wanted];
  throw unsupported(`promptName ${describe(wanted)}: ${name} has ${Object.keys(inputType.values).join(', ')}`);
}

// The fields of a request besides its texts. Throws if the dialect has no such choice.
function fieldsOf(name, dialect, { model, dimensions, encoding, promptName, longTexts }) {
  const { fields, inputType, longTexts: lengths } = dialect;
  const given = { ...dialect.fixed };
  const set = (field, value) => {
    if (field !== null && field !== undefined && value !== null && value !== undefined) given[field] = value;
  };
  set(fields.model, model);
  set(fields.dimensions, dimensions);
  const wanted = encoding ?? dialect.encoding.default;
  if (!Object.hasOwn(dialect.encoding, wanted)) throw unsupported(`encoding ${describe(wanted)}: ${name} has only float`);
  set(dialect.encoding.field, dialect.encoding[wanted]);
  set(inputType?.field, inputTypeOf(name, dialect, promptName));
  if (longTexts !== undefined && !(lengths && Object.hasOwn(lengths, longTexts))) {
    const choice = lengths ? 'has truncate and error' : 'leaves it to the server';
    throw unsupported(`longTexts ${describe(longTexts)}: ${name} ${choice}`);
  }
  if (lengths) set(lengths.field, lengths[longTexts ?? 'truncate']);
  return { given, encoding: wanted };
}

// Limit of the bytes of the reply to these texts.
function replyBytes(dialect, texts, dimensions = common.reply.mostDimensions) {
  const { bytes, bytesOfItem, bytesOfNumber } = common.reply;
  const echoed = dialect.reply.echo ? 6 * texts.reduce((sum, text) => sum + utf8.encode(text).length, 0) : 0;
  return bytes + texts.length * (bytesOfItem + dimensions * bytesOfNumber) + echoed;
}

const corrupt = (where, message) => new ThimbleError('corrupt', `${where}: ${message}`);

function parse(text, where) {
  try {
    return JSON.parse(text);
  } catch {
    throw corrupt(where, `expected JSON, found ${text === '' ? 'nothing' : describe(text.slice(0, 40))}`);
  }
}

// { vectors, tokens } of the reply to `count` texts, in their order. `dimensions` is the expected length of vectors if
// known; `tokens` is the sum over all texts, undefined if the reply does not state it.
function decodeReply(dialect, { text, headers }, { encoding, count, dimensions, where }) {
  const { reply } = dialect;
  const body = parse(text, where);
  const place = reply.items[encoding];
  const items = at(body, place);
  if (!Array.isArray(items)) throw corrupt(where, `expected a list at "${place}" of the reply, found ${describe(items)}`);
  if (items.length !== count) throw corrupt(where, `expected ${count} vectors, found ${items.length}`);
  const vectors = new Array(count);
  items.forEach((item, i) => {
    const index = reply.index === null ? i : at(item, reply.index);
    if (!Number.isSafeInteger(index) || index < 0 || index >= count || vectors[index] !== undefined) {
      throw corrupt(where, `item ${i} of the reply: expected a unique index below ${count}, found ${describe(index)}`);
    }
    const vector = toVector(at(item, reply.vector), `${where}: item ${i} of the reply`);
    dimensions ??= vector.length;
    if (vector.length !== dimensions) {
      throw corrupt(where, `item ${i} of the reply: expected ${dimensions} values, found ${vector.length}`);
    }
    vectors[index] = vector;
  });
  const header = reply.tokensHeader && headers.get(reply.tokensHeader);
  const counts = [header ? Number(header) : undefined, ...reply.tokens.map((pointer) => at(body, pointer))];
  return { vectors, tokens: counts.find((value) => Number.isSafeInteger(value) && value >= 0) };
}

function toVector(value, where) {
  if (typeof value === 'string') return fromBase64(value, where);
  if (!Array.isArray(value) || value.length === 0) throw corrupt(where, `expected a vector, found ${describe(value)}`);
  const vector = new Float32Array(value.length);
  for (let i = 0; i < value.length; ++i) {
    vector[i] = value[i];
    if (typeof value[i] !== 'number' || !Number.isFinite(vector[i])) {
      throw corrupt(where, `value ${i}: expected a number that fits into a float, found ${describe(value[i])}`);
    }
  }
  return vector;
}

// Little-endian floats.
function fromBase64(text, where) {
  if (text === '' || text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) {
    throw corrupt(where, `expected base64, found ${describe(text)}`);
  }
  const bytes = atob(text);
  if (bytes.length % 4 !== 0) throw corrupt(where, `expected base64 of floats, found ${bytes.length} bytes`);
  const view = new DataView(new ArrayBuffer(bytes.length));
  for (let i = 0; i < bytes.length; ++i) view.setUint8(i, bytes.charCodeAt(i));
  const vector = new Float32Array(bytes.length / 4);
  for (let i = 0; i < vector.length; ++i) {
    vector[i] = view.getFloat32(4 * i, true);
    if (!Number.isFinite(vector[i])) throw corrupt(where, `value ${i}: expected a finite number, found ${vector[i]}`);
  }
  return vector;
}

const MOST_MESSAGE = 500;

// The message in the body of an error; '' if there is none.
function messageOf(dialect, text) {
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    return '';
  }
  const message = dialect.error.map((pointer) => at(body, pointer)).find((value) => typeof value === 'string') ?? '';
  const line = message.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').trim();
  return line.length > MOST_MESSAGE ? `${line.slice(0, MOST_MESSAGE)}...` : line;
}

function errorCode(status) {
  const { errors } = common;
  return errors[status] ?? (status >= 400 && status < 500 ? errors['4xx'] : errors.other);
}

module.exports = { batches, decodeReply, errorCode, fieldsOf, inputTypeOf, messageOf, parse, replyBytes };
