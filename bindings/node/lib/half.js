// Halves: IEEE 754 binary16. A vector of them is a Float16Array where this runtime has one, and elsewhere a Uint16Array of
// their bits, which is what engines write in any case.
'use strict';

const HalfArray = globalThis.Float16Array ?? Uint16Array;

const FRACTION_BITS = 10, BIAS = 15;
const OVERFLOW = 65520;  // The least number that rounds to infinity.

// floor(log2(value)) of a float32 above 0 that is not subnormal; -127 of others.
const view = new DataView(new ArrayBuffer(4));
function exponentOf(value) {
  view.setFloat32(0, value);
  return (view.getUint16(0) >> 7) - 127;
}

// The bits of the half that is nearest to a float32; of two, the even one.
function toHalf(value) {
  if (Number.isNaN(value)) return 0x7e00;
  const size = Math.min(Math.abs(value), OVERFLOW);
  const exponent = Math.max(exponentOf(size), 1 - BIAS);
  // The first sum rounds to an integer, because doubles from 2 ** 52 on are integers.
  const steps = size / 2 ** (exponent - FRACTION_BITS) + 2 ** 52 - 2 ** 52;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  return sign + ((exponent + BIAS - 1) << FRACTION_BITS) + steps;
}

function fromHalf(bits) {
  const exponent = (bits >> FRACTION_BITS) & 31, fraction = bits & 1023;
  const special = fraction === 0 ? Infinity : NaN;
  const size = exponent === 31 ? special
    : exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - BIAS - FRACTION_BITS);
  return bits & 0x8000 ? -size : size;
}

// A vector of floats in halves.
const toHalves = (vector) => (HalfArray === Uint16Array ? Uint16Array.from(vector, toHalf) : new HalfArray(vector));

// The numbers of a vector of any precision: only halves are in a Uint16Array.
const numbersOf = (vector) => Array.from(vector, vector instanceof Uint16Array ? fromHalf : undefined);

// The class of a typed array, also of another realm; undefined for anything else.
const typedArrayName = (value) => Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)
  .get.call(value);

// The same memory as a Uint16Array, if the array holds halves; else the array.
const bitsOf = (array) => (typedArrayName(array) === 'Float16Array'
  ? new Uint16Array(array.buffer, array.byteOffset, array.length) : array);

module.exports = { HalfArray, bitsOf, fromHalf, numbersOf, toHalf, toHalves, typedArrayName };
