// A cache of vectors with a quota of bytes; it drops the least recently used.
'use strict';

// Estimate for an entry, besides its vector and its key.
const OVERHEAD = 200;

class Cache {
  #most;
  #bytes = 0;
  #entries = new Map();  // In order of last use.

  constructor(maxBytes) {
    this.#most = maxBytes;
  }

  // { vector, tokens, truncated }, or undefined.
  get(key) {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry;
  }

  set(key, entry) {
    if (this.#entries.has(key)) return;
    this.#bytes += sizeOf(key, entry);
    this.#entries.set(key, entry);
    for (const [oldest, dropped] of this.#entries) {
      if (this.#bytes <= this.#most) break;
      this.#bytes -= sizeOf(oldest, dropped);
      this.#entries.delete(oldest);
    }
  }

  clear() {
    this.#entries.clear();
    this.#bytes = 0;
  }
}

const sizeOf = (key, { vector }) => 2 * key.length + vector.byteLength + OVERHEAD;

module.exports = { Cache };
