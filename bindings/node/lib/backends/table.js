// The table of dialects, and the names of backends.
'use strict';

const { describe, invalid } = require('../errors.js');
const { common, dialects } = require('./dialects.json');

// Backends of this process.
const LOCAL = ['native', 'mock', 'mock-hashed'];
const REMOTE = Object.entries(dialects).map(([name, { argument }]) => `${name}:${argument.toUpperCase()}`);

// The value at a JSON pointer; undefined if there is none.
function at(value, pointer) {
  for (const name of pointer.split('/').slice(1)) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, name)) return undefined;
    value = value[name];
  }
  return value;
}

// 'openai:MODEL@URL,native' as [{ name, dialect, model, url }]; native and the mocks have no dialect.
function parseBackends(names) {
  if (typeof names !== 'string') throw invalid(`backend: expected a name, found ${describe(names)}`);
  return names.split(',').map(parseBackend);
}

function parseBackend(text) {
  const [, name, argument, url] = /^\s*([^:@]*)(?::(.*?))?(?:@(https?:\/\/.*?))?\s*$/is.exec(text) ?? [];
  if (LOCAL.includes(name) && argument === undefined && url === undefined) return { name };
  if (!Object.hasOwn(dialects, name)) {
    throw invalid(`backend: expected ${[...LOCAL, ...REMOTE].join(', ')}, or several separated by commas, found ` +
      describe(withoutUser(text)));
  }
  if (dialects[name].argument === 'url') {
    if (argument && url) throw invalid(`backend: ${name} has two URLs`);
    return { name, dialect: dialects[name], url: argument || url };
  }
  return { name, dialect: dialects[name], model: argument || undefined, url };
}

const withoutUser = (url) => url.replace(/\/\/[^/]*@/, '//***@');

// The base URL of a dialect as { href, origin }, without a slash at its end: `given`, or its variable, or its default.
function baseUrlOf(name, given) {
  const dialect = dialects[name];
  const variable = dialect.baseUrlVariable;
  const text = given || (variable && process.env[variable]?.trim()) || dialect.baseUrl;
  const where = given || !variable ? `${name}: base URL` : `${name}: ${variable}`;
  if (!text) {
    throw invalid(`${where}: expected http://HOST:PORT or https://HOST, in the name of the backend or as the option baseUrl`);
  }
  let full = text;
  const bare = !/^[a-z][a-z0-9+.-]*:\/\//i.test(text) && dialect.bareHost;
  if (bare) full = `${bare.scheme}://${text}`;
  let url;
  try {
    url = new URL(full);
  } catch {
    throw invalid(`${where}: expected http://HOST:PORT or https://HOST, found ${describe(withoutUser(text))}`);
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw invalid(`${where}: expected http:// or https://, found ${describe(withoutUser(text))}`);
  }
  if (url.username || url.password || url.search || url.hash) {
    throw invalid(`${where}: expected scheme, host, port and path alone, found a user, a query or a fragment`);
  }
  if (bare && url.port === '') url.port = String(bare.port);
  return { href: (url.origin + url.pathname).replace(/\/+$/, ''), origin: url.origin };
}

module.exports = { at, baseUrlOf, common, dialects, parseBackends };
