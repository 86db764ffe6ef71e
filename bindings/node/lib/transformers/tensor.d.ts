// Tensors of transformers.js and the functions around them. A method whose name ends in _ works in place, any other returns
// a new tensor; [index], view, squeeze and unsqueeze share the values.

export type TensorDataType =
  | 'float32' | 'float64' | 'int8' | 'uint8' | 'int16' | 'uint16' | 'int32' | 'uint32' | 'int64' | 'uint64' | 'bool';
export type TypedArray =
  | Float32Array | Float64Array | Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array;
export type AnyTypedArray = TypedArray | BigInt64Array | BigUint64Array;
/** A typed array in all tensors from thimble; `any[]` as declared by transformers.js. */
export type DataArray = AnyTypedArray | any[];

/** Values with dimensions. tensor[i] and iteration return the parts along the first dimension. */
export class Tensor {
  /** Default dims: [data.length]. */
  constructor(type: TensorDataType, data: DataArray, dims?: readonly number[]);
  readonly type: TensorDataType;
  readonly data: DataArray;
  dims: number[];
  readonly size: number;
  readonly location: 'cpu';
  [index: number]: any;
  [Symbol.iterator](): Generator<any, void, unknown>;
  /** The one value. */
  item(): number | bigint;
  /** Nested arrays of numbers. */
  tolist(): any[];
  stride(): number[];
  clone(): Tensor;
  to(type: TensorDataType): Tensor;
  /** A copy. One argument per dimension: null takes all of it, a number takes one part and drops the dimension,
   * [begin, end] takes a range. */
  slice(...slices: (number | (number | null)[] | null)[]): Tensor;
  permute(...dims: number[]): Tensor;
  /** The same as permute. */
  transpose(...dims: number[]): Tensor;
  /** -1 stands for the remaining values. */
  view(...dims: number[]): Tensor;
  squeeze(dim?: number | number[] | null): Tensor;
  squeeze_(dim?: number | number[] | null): this;
  unsqueeze(dim: number): Tensor;
  unsqueeze_(dim: number): this;
  flatten(start_dim?: number, end_dim?: number): Tensor;
  flatten_(start_dim?: number, end_dim?: number): this;
  map(callback: (value: any, index: number, data: DataArray) => any): Tensor;
  map_(callback: (value: any, index: number, data: DataArray) => any): this;
  add(value: number | bigint): Tensor;
  add_(value: number | bigint): this;
  sub(value: number | bigint): Tensor;
  sub_(value: number | bigint): this;
  mul(value: number | bigint): Tensor;
  mul_(value: number | bigint): this;
  div(value: number | bigint): Tensor;
  div_(value: number | bigint): this;
  neg(): Tensor;
  neg_(): this;
  sigmoid(): Tensor;
  sigmoid_(): this;
  clamp(min: number | bigint, max: number | bigint): Tensor;
  clamp_(min: number | bigint, max: number | bigint): this;
  round(): Tensor;
  round_(): this;
  gt(value: number | bigint): Tensor;
  lt(value: number | bigint): Tensor;
  /** Along a dimension; null means over all values. */
  sum(dim?: number | null, keepdim?: boolean): Tensor;
  mean(dim?: number | null, keepdim?: boolean): Tensor;
  /** As in transformers.js, p = 1 is the sum. */
  norm(p?: 'fro' | number, dim?: number | null, keepdim?: boolean): Tensor;
  min(dim?: number | null, keepdim?: boolean): Tensor;
  max(dim?: number | null, keepdim?: boolean): Tensor;
  argmin(dim?: null): Tensor;
  argmax(dim?: null): Tensor;
  /** Lines along a dimension with unit length; a line of zeros stays. Default: p = 2 along dimension 1. */
  normalize(p?: number, dim?: number): Tensor;
  normalize_(p?: number, dim?: number): this;
  /** Does nothing; tensors need no disposal. */
  dispose(): void;
}

export function cat(tensors: Tensor[], dim?: number): Tensor;
export function stack(tensors: Tensor[], dim?: number): Tensor;
export function mean(input: Tensor, dim?: number | null, keepdim?: boolean): Tensor;
export function permute(tensor: Tensor, axes: number[]): Tensor;
/** The mean of the tokens in the mask: [texts][tokens][dimensions] and [texts][tokens] to [texts][dimensions]. */
export function mean_pooling(last_hidden_state: Tensor, attention_mask: Tensor): Tensor;
/** Applies to the rows of tensors of two dimensions. */
export function layer_norm(input: Tensor, normalized_shape: number[], options?: { eps?: number }): Tensor;
export function matmul(a: Tensor, b: Tensor): Promise<Tensor>;
/** [values, indices] of the largest values along the last dimension. */
export function topk(x: Tensor, k?: number | null): Promise<[Tensor, Tensor]>;
/** float32, int64 or bool if the value is a number, a BigInt or a boolean. */
export function full(size: number[], fill_value: number | bigint | boolean): Tensor;
export function full_like(tensor: Tensor, fill_value: number | bigint | boolean): Tensor;
/** int64. */
export function ones(size: number[]): Tensor;
export function ones_like(tensor: Tensor): Tensor;
export function zeros(size: number[]): Tensor;
export function zeros_like(tensor: Tensor): Tensor;
/** One bit per value, packed into int8 or uint8. */
export function quantize_embeddings(tensor: Tensor, precision: 'binary' | 'ubinary'): Tensor;

/** A vector is an array, or a tensor of dims [n] or [1, n]. */
export type Vector = ArrayLike<number> | Tensor;
/** The cosine of the angle between two vectors of the same length. */
export function cos_sim(a: Vector, b: Vector): number;
export function dot(a: Vector, b: Vector): number;
export function magnitude(vector: Vector): number;
export function softmax<T extends TypedArray | number[]>(vector: T): T;
export function log_softmax<T extends TypedArray | number[]>(vector: T): T;
