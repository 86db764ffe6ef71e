// From bytes of UTF-8 to units of JavaScript's strings.
'use strict';

// [begin, end] of each token in UTF-16 units. `ranges` has two numbers of bytes for each token, in the order of the
// text; `types` says which of the two texts it is in.
function unitRanges(texts, types, ranges) {
  const places = texts.map((text) => new Places(text));
  return Array.from(types, (type, i) => {
    const [begin, end] = [ranges[2 * i], ranges[2 * i + 1]];
    if (begin === end) return [0, 0];
    return [places[type].unitAt(begin), places[type].unitAt(end)];
  });
}

// Walks a text once, as far as ranges in order ask for it.
class Places {
  #text;
  #unit = 0;
  #byte = 0;
  #lastUnit = 0;
  #lastByte = 0;

  constructor(text) {
    this.#text = text;
  }

  // A token may begin where the last one began, as may be for a character that becomes several.
  unitAt(byte) {
    if (byte < this.#byte) {
      this.#unit = this.#lastUnit;
      this.#byte = this.#lastByte;
    } else {
      this.#lastUnit = this.#unit;
      this.#lastByte = this.#byte;
    }
    while (this.#byte < byte) {
      const character = this.#text.codePointAt(this.#unit);
      this.#byte += character < 0x80 ? 1 : character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
      this.#unit += character < 0x10000 ? 1 : 2;
    }
    return this.#unit;
  }
}

module.exports = { unitRanges };
