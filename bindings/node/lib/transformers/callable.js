// Instances that are functions, as those of transformers.js.
'use strict';

// Calling an instance calls its _call().
class Callable {
  constructor() {
    const call = (...values) => call._call(...values);
    return Object.setPrototypeOf(call, new.target.prototype);
  }
}
Object.setPrototypeOf(Callable.prototype, Function.prototype);

module.exports = { Callable };
