// Several backends with one vector space; each stands in for those before it.
'use strict';

const { ThimbleError, invalid } = require('../errors.js');
const { within } = require('../promises.js');

// How long a backend that failed is passed over.
const PAUSE_MS = 30_000;

// Whether another backend would refuse the same call.
const isFinal = (error) => !(error instanceof ThimbleError) || error.code === 'invalid_argument';

class Chain {
  #members;  // { name, identity, embed(), describe() }
  #pausedUntil;
  #dimensions;
  name;

  // `space` names the space if the user says that all members share one; `dimensions` is the length of its vectors, if
  // that is known.
  constructor(members, space, dimensions) {
    this.#members = members;
    this.#dimensions = dimensions;
    this.#pausedUntil = members.map(() => 0);
    this.name = members.map(({ name }) => name).join(',');
    const other = members.find(({ identity }) => identity !== members[0].identity);
    if (other !== undefined && space === undefined) {
      throw invalid(`backend: ${members[0].name} and ${other.name} have different vector spaces, so their vectors cannot be ` +
        'compared; if both serve the same model, name its space with space');
    }
  }

  // The description of the first backend that answers.
  async describe(call) {
    return this.#first(call, async (member, limited) => {
      const info = await member.describe(limited);
      if (info.dimensions !== undefined) this.#check(member, info.dimensions);
      return info;
    });
  }

  // As Client.embed().
  async embed(items, call) {
    await this.#first(call, async (member, limited) => {
      const missing = items.filter(({ vector }) => vector === undefined);
      try {
        await member.embed(missing, limited);
      } finally {
        this.#checkItems(member, missing.filter(({ vector }) => vector !== undefined));
      }
    });
  }

  // Calls use(member, call) for one member after the other, until one succeeds; returns its result.
  async #first(call, use) {
    const failures = [];
    const now = performance.now();
    const paused = this.#pausedUntil.map((until) => until > now);
    const order = [...this.#members.keys()].sort((a, b) => paused[a] - paused[b]);
    for (const [turn, index] of order.entries()) {
      const member = this.#members[index];
      // All but the last may use half of the time.
      const left = call.deadline - performance.now();
      const ms = turn < order.length - 1 ? left / 2 : Infinity;
      const late = () => new ThimbleError('io', `${member.name}: no result within ${Math.round(ms)} ms`);
      const deadline = Math.min(call.deadline, performance.now() + ms);
      try {
        const result = await within([call.signal], ms, late, (signal) => use(member, { ...call, signal, deadline }));
        this.#pausedUntil[index] = 0;
        return result;
      } catch (error) {
        if (call.signal.aborted || isFinal(error)) throw error;
        this.#pausedUntil[index] = performance.now() + PAUSE_MS;
        failures.push(error);
      }
    }
    if (failures.length === 1) throw failures[0];
    const messages = failures.map(({ message }) => message).join('; ');
    throw new ThimbleError(failures.at(-1).code, `no backend succeeded: ${messages}`);
  }

  // Vectors of one space have one length.
  #check(member, found) {
    this.#dimensions ??= found;
    if (found === this.#dimensions) return;
    throw invalid(`backend: ${member.name} returned vectors of ${found} values, expected ${this.#dimensions} in this space`);
  }

  // Drops all vectors if one has another length.
  #checkItems(member, items) {
    try {
      for (const { vector } of items) this.#check(member, vector.length);
    } catch (error) {
      for (const item of items) item.vector = undefined;
      throw error;
    }
  }
}

module.exports = { Chain };
