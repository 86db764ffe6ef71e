// thimble for Node.js: sentence embeddings on CPU, off the main thread, in a few megabytes.
//
// A model is a name, with or without its organisation ("all-MiniLM-L6-v2", "Xenova/all-MiniLM-L6-v2"), looked for as
// FOLDER/NAME-DTYPE.safetensors; or the path of a file that ends in .safetensors. Sizes are bytes, or texts such as
// "32MB" or "1GiB". Every function that fails throws, or rejects with, a ThimbleError; an aborted one rejects with the
// reason of its signal.

/// <reference lib="esnext.disposable" />

/** How a model's weights are stored. */
export type Dtype = 'fp32' | 'fp16' | 'q8' | 'q6' | 'q4' | 'q4-small';

/** How the vectors of a text's tokens become one: their mean, that of the first token, or that of the last one. */
export type Pooling = 'mean' | 'cls' | 'last' | 'max' | 'mean_sqrt_len_tokens' | 'weightedmean';

/**
 * What embeds: the native engine; `mock`, with `v[i] = Math.sin(h + i) * 0.1` of 384 values, h the sum of the text's
 * UTF-16 code units; `mock-hashed`, with vectors of hashed character n-grams that are alike for texts alike; or a provider:
 * `openai:MODEL`, `tei:URL`, `ollama:MODEL`, `cohere:MODEL`, `voyage:MODEL`, `jina:MODEL`. `NAME:MODEL@URL` has another base
 * URL, and of several names with commas between, each stands in for those before it. docs/backends.md describes them.
 */
export type Backend = 'native' | 'mock' | 'mock-hashed' | Provider | `${Provider}:${string}` | `${string},${string}`;
export type Provider = 'openai' | 'tei' | 'ollama' | 'cohere' | 'voyage' | 'jina';

/**
 * Where texts are truncated: at the model's own limit; as transformers.js does, at 512 tokens or the model's positions; or
 * where the model's tokenizer.json says.
 */
export type Truncation = 'sentence-transformers' | 'transformers.js' | 'tokenizers';

/**
 * What becomes of a text of more than maxTokens tokens: only its first tokens are embedded; it is an error, which says which
 * text it is and how many tokens it has; or it is embedded in windows of maxTokens, which overlap and end between words,
 * and its vector is the mean of theirs, weighted by their tokens.
 */
export type LongTexts = 'truncate' | 'error' | 'chunk';

export type ErrorCode =
  | 'invalid_argument' // The caller passed something that can never work.
  | 'not_found' // The model is not there; the message says which command gets it.
  | 'corrupt' // A file contradicts itself or its format.
  | 'unsupported' // Well formed, but of a kind that this build does not handle.
  | 'io' // The system refused or failed.
  | 'out_of_memory' // Memory, or the budget allowed, is not enough.
  | 'overloaded'; // Busy: no memory within maxWaitMs, or a provider's limits; the same call may succeed later.

export class ThimbleError extends Error {
  constructor(code: ErrorCode, message: string, options?: { cause?: unknown });
  readonly code: ErrorCode;
  /** Of a remote backend that answered with an error: the status of HTTP. */
  readonly status?: number;
  /** Of a call to a remote backend that failed: the vectors that were there by then, undefined for the other texts. They
   * are arrays of numbers in an embedding function. */
  readonly partial?: readonly (Float32Array | number[] | undefined)[];
  /** Which text partial[0] belongs to: 0, or in embedStream() the place of a batch. */
  readonly first?: number;
}

export interface PoolOptions {
  /** Where models are. Default: the environment's THIMBLE_HOME, or thimble in XDG_CACHE_HOME or ~/.cache. */
  folder?: string;
  /** Whether a model that is not on this machine is downloaded when it is first asked for. Default: false, which makes it an
   * error. What is here as a folder or in another program's cache is converted in any case. */
  download?: boolean;
  /** Most private bytes of all models and of the memory they work in. Default: THIMBLE_MAX_MEMORY, or half of what the
   * machine or its control group has. */
  maxMemory?: number | string;
  /** Most models loaded at the same time. Default: as many as fit. */
  maxModels?: number;
  /** A model that was not used for so long is unloaded; 0 is at once, Infinity never. Default: 30,000. */
  unloadAfterMs?: number;
  /** How long a call waits for memory before it fails as overloaded. Default: 30,000. */
  maxWaitMs?: number;
  /** Threads of one call, 1 to 64. The vectors do not depend on it. Default: THIMBLE_THREADS, or 1. */
  threads?: number;
  /** Most tokens of a text that are embedded together. Default: as `truncation` says. */
  maxTokens?: number;
  /** Truncation limit to follow if maxTokens is not given. Default: sentence-transformers. */
  truncation?: Truncation;
}

export interface VectorOptions {
  /** Default: the model's own. An error for a model that pools in several ways. */
  pooling?: Pooling;
  /** Whether vectors get unit length. Default: the model's own. */
  normalize?: boolean;
  /** Which of the model's prompts (info.prompts) goes before every text; '' is none. Default: the model's own default. */
  promptName?: string;
  /** Default: truncate. */
  longTexts?: LongTexts;
  /** Tokens that a window shares with the one before, at most half of it. Default: an eighth of maxTokens. */
  chunkOverlap?: number;
}

/** Options of remote backends. The native backend refuses them; mocks ignore them. */
export interface RemoteOptions {
  /** Length of the vectors, which the provider shortens. Default: the model's own. */
  dimensions?: number;
  /** Of the one remote backend. Default: that in the backend's name, or OPENAI_BASE_URL, OLLAMA_HOST, or the provider's. */
  baseUrl?: string;
  /** How vectors travel. Default: base64 where the provider documents it. */
  encoding?: 'base64' | 'float';
  /** Most texts of one request. Default: 256, or the provider's limit if that is lower. */
  requestTexts?: number;
  /** Most requests at the same time, of all calls together. Default: 4. */
  concurrency?: number;
  /** How often a request is sent again after a status of 408, 409, 429 or 5xx or a lost connection. Default: 4. */
  maxRetries?: number;
  /** When a call fails that is not done. Default: never; one attempt of one request fails after 60,000. */
  timeoutMs?: number;
  /** Keeps vectors in memory, so that a text is not paid for twice. Default: none. */
  cache?: { maxBytes: number | string };
  /** A name for the vector space, by which the user says that all backends of a chain share it. */
  space?: string;
}

export interface ModelOptions extends VectorOptions, RemoteOptions {
  /** Default: q8. */
  dtype?: Dtype;
  /** A branch, a tag or a commit, the same as behind the @ of a name: 'acme/tiny@v2'. Default: main. */
  revision?: string;
  /** Default: THIMBLE_BACKEND, or native. */
  backend?: Backend;
  /** Aborts the loading of the model. */
  signal?: AbortSignal;
}

export interface CallOptions extends VectorOptions {
  signal?: AbortSignal;
  /** Of remote backends, in place of that of the embedder. */
  timeoutMs?: number;
}

/** What happened to one text. */
export interface Report {
  /** Tokens embedded, prompt and special tokens included, however many windows had them. undefined if a remote backend
   * does not say, as where several texts share a request. */
  tokens: number | undefined;
  /** Whether the text had more; undefined if a remote backend does not say. */
  truncated: boolean | undefined;
  /** Windows that it was embedded in, with longTexts: 'chunk' alone. */
  chunks?: number;
}

/** What a remote backend does not say of a model is 0 or empty. */
export interface ModelInfo {
  readonly name: string;
  /** Without the model: native, mock, openai; of a chain all of them: native,openai. */
  readonly backend: string;
  /** Identity of the vector space: vectors can be compared where it is the same. Empty for mocks. */
  readonly fingerprint: string;
  readonly dtype: Dtype | '';
  /** Length of a vector. */
  readonly dimensions: number;
  readonly layers: number;
  readonly heads: number;
  readonly vocabulary: number;
  /** Longest sequence the weights allow, in tokens. */
  readonly positions: number;
  /** Where texts are truncated. */
  readonly maxTokens: number;
  /** Where the tokenizer.json of the model truncates. */
  readonly tokenizersMaxTokens: number;
  /** Where transformers.js truncates. Absent for a remote model. */
  readonly modelMaxLength?: number;
  /** What goes before a text when its name is asked for: { query: 'query: ' }. For remote backends the input type that is
   * sent: { query: 'search_query' }. */
  readonly prompts: Readonly<Record<string, string>>;
  /** Which of them goes before a text when none is asked for; undefined: none. */
  readonly defaultPromptName?: string;
  /** Length of a token's vector. */
  readonly tokenDimensions: number;
  /** One or several, with '+' between; '' if the model does not state it, and every call has to name it. */
  readonly pooling: string;
  /** What stands between pooling and vector: 'dense', 'layer_norm', 'normalize', 'truncate'. */
  readonly modules: readonly string[];
  readonly normalize: boolean;
  readonly fileBytes: number;
  /** What can be asked of long texts. */
  readonly longTexts: readonly LongTexts[];
  /** Of remote backends: most texts of one request, and most bytes of its texts. */
  readonly limits?: { readonly texts: number; readonly bytes: number };
}

/**
 * A model that is loaded when it is used and unloaded when it is idle. Needs no disposal. All embedders of a process with
 * the same options, those of its worker threads included, share one copy.
 */
export class Embedder {
  /**
   * Loads the model once, so that what is wrong with it is known here. `model` is [ORGANISATION/]NAME[@REVISION], a folder
   * that begins with "/", "./" or "../", or the path of a .safetensors file; `mock` or `mock-hashed`; or a name that the
   * provider of a remote backend knows, unless that backend names a model itself. A remote backend is asked for the vector
   * of one word here, unless `dimensions` is given.
   */
  static create(model: string, options?: ModelOptions & PoolOptions): Promise<Embedder>;
  private constructor();

  readonly info: ModelInfo;
  readonly dimensions: number;

  /** One vector for a string, an array of vectors, in order, for an array. They are views of one buffer. */
  embed(text: string, options?: CallOptions): Promise<Float32Array>;
  embed(texts: readonly string[], options?: CallOptions): Promise<Float32Array[]>;

  /**
   * Writes the vector of texts[i] to vectors[i * dimensions ...], which may be on a SharedArrayBuffer. Memory does not
   * grow with the number of texts.
   */
  embedInto(texts: string | readonly string[], vectors: Float32Array, options?: CallOptions): Promise<Report[]>;

  /** As embed(), on this thread, which it blocks: for scripts. Remote backends do not have it. */
  embedSync(text: string, options?: CallOptions): Float32Array;
  embedSync(texts: readonly string[], options?: CallOptions): Float32Array[];

  /**
   * Embeds what an iterable gives, in its order; takes a batch ahead at most, and no more than the consumer asks for. A
   * batch is what is there, up to batchSize texts (if not given 64, or 256 for remote backends).
   */
  embedStream(
    texts: Iterable<string> | AsyncIterable<string>,
    options?: CallOptions & { batchSize?: number },
  ): AsyncGenerator<{ text: string; vector: Float32Array } & Report, void, void>;

  /** The vectors of a text's tokens, [tokens][info.tokenDimensions], neither pooled nor normalised. Remote backends
   * do not have it. */
  embedTokens(text: string, options?: { signal?: AbortSignal }): Promise<Report & { vectors: Float32Array }>;

  /** Unloads the model when the calls at work are done, and resolves when its memory is gone. The next call loads it. Of a
   * remote backend it empties the cache. */
  unload(): Promise<void>;
}

export interface Plan {
  /** The model file: shared by all processes that use it, and the system can drop it. */
  mappedBytes: number;
  /** Private: tables, stacks, and what the code touches. */
  fixedBytes: number;
  scratchBytesPerThread: number;
  threads: number;
  /** fixedBytes + threads * scratchBytesPerThread: most private bytes of one call. */
  peakBytes: number;
  maxTokens: number;
  /** Most tokens that are embedded together. */
  tileTokens: number;
}

export interface PoolStats {
  maxMemory: number;
  usedMemory: number;
  peakMemory: number;
  loads: number;
  unloads: number;
  /** Calls that failed as overloaded. */
  refusals: number;
  models: {
    name: string;
    /** Empty for a path and for a mock. */
    dtype: Dtype | '';
    mappedBytes: number;
    privateBytes: number;
    /** Calls at work. */
    leases: number;
    uses: number;
    pinned: boolean;
    idleMs: number;
  }[];
}

export interface NamedModel {
  /** Default: q8. */
  dtype?: Dtype;
  /** As in ModelOptions. */
  revision?: string;
  signal?: AbortSignal;
}

/** Models by name, of which each has one copy; they are loaded on demand and unloaded when idle, within one budget. */
export class ModelPool {
  constructor(options?: PoolOptions);
  /** Loads the model unless it is loaded. The embedder is of use as long as the pool. */
  getModel(model: string, options?: ModelOptions): Promise<Embedder>;
  /** What one call with the model takes at most; nothing stays loaded for it. */
  plan(model: string, options?: NamedModel): Promise<Plan>;
  preload(model: string, options?: NamedModel): Promise<void>;
  /** Loads the model and keeps it until unpin() or unload(). */
  pin(model: string, options?: NamedModel): Promise<void>;
  unpin(model: string, options?: { dtype?: Dtype; revision?: string }): void;
  /** Resolves when the calls at work are done and the model's memory is gone. */
  unload(model: string, options?: { dtype?: Dtype; revision?: string }): Promise<void>;
  stats(): PoolStats;
  /** Unloads everything. Later calls fail. */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface PullProgress {
  /** waiting for another process that gets the same model, downloading, or converting. */
  stage: 'waiting' | 'downloading' | 'converting';
  /** Downloaded so far. */
  bytes: number;
  /** Of all files together; 0 while that is not known. */
  totalBytes: number;
  /** How much of the model is written, from 0 to 1. */
  share: number;
}

export interface PullOptions {
  /** Default: q8. */
  dtype?: Dtype;
  /** A branch, a tag or a commit, the same as behind the @ of a name. Default: main. */
  revision?: string;
  /** Where models are, as in PoolOptions. */
  folder?: string;
  /** What to call the model, [ORGANISATION/]NAME. Default: its name on the hub, or the last component of a folder. */
  name?: string;
  /** For a model that does not state it; an error for one that states something else. */
  pooling?: Pooling;
  /** The same: whether vectors get unit length. Default: as known of the model, else false. */
  normalize?: boolean;
  /** Makes the model again, whatever is there. Default: false. */
  force?: boolean;
  /** Ends the download or the conversion; a later pull resumes the download. */
  signal?: AbortSignal;
  /** Called several times a second. What it throws ends the pull and rejects its promise. */
  onProgress?: (progress: PullProgress) => void;
}

export interface StoredModel {
  /** NAME[@REVISION], or the path of the folder that it was made of. */
  name: string;
  dtype: Dtype;
  path: string;
  bytes: number;
  /** Empty when none is recorded. */
  organisation: string;
  /** On the hub; empty for a model that is not from there. */
  repository: string;
  /** The commit. */
  revision: string;
}

export interface PulledModel extends StoredModel {
  /** Not when it was on this machine already. */
  downloaded: boolean;
}

/**
 * Makes a model unless it is in the folder, and keeps it there: from the cache of huggingface_hub or of transformers.js, or
 * else from the Hugging Face hub (or HF_ENDPOINT, with HF_TOKEN). `model` is ORGANISATION/NAME[@REVISION], a known name, or
 * a folder that begins with "/", "./" or "../". Of several processes that pull one model, one does it. Needs libcurl for
 * the hub; `unsupported` without it, and on Windows.
 */
export function pull(model: string, options?: PullOptions): Promise<PulledModel>;

/** The models in the folder. `used` is when the file was last read, as far as its file system says. */
export function list(options?: { folder?: string }): (StoredModel & { used: Date })[];

/**
 * Removes a model, or one dtype of it, and what an interrupted pull left; of a folder what was made of it. Returns what was
 * removed.
 */
export function remove(
  model: string, options?: { dtype?: Dtype; folder?: string },
): (StoredModel & { used: Date })[];

/** What an embedder with these options takes at most; nothing stays loaded for it. */
export function plan(model: string, options?: NamedModel & PoolOptions): Promise<Plan>;

/** The memory of this process, in bytes, in the kernel's figures. `unsupported` where the system has none. */
export function memory(): {
  /** All pages in memory, shared ones counted in full. */
  rss: number;
  /** The same, a page that n processes share counted as 1/n. */
  pss: number;
  /** Pages without a file behind them. */
  private: number;
  /** Most rss at any time. */
  peakRss: number;
};

export interface EmbeddingFunctionOptions extends ModelOptions, PoolOptions {
  /** Default: all-MiniLM-L6-v2, of the native backend alone. */
  modelName?: string;
  /** Aborts every call of the function. */
  signal?: AbortSignal;
}

/** Texts to arrays of numbers. A blank text is a text like any other. */
export interface EmbeddingFunction {
  (text: string, options?: { signal?: AbortSignal; promptName?: string }): Promise<number[]>;
  (texts: readonly string[], options?: { signal?: AbortSignal; promptName?: string }): Promise<number[][]>;
}

/**
 * A function that embeds. Its model is loaded with the first call; all functions with the same options share one copy.
 * With `compat: 'brainy'` it keeps the contract of Brainy's embedding functions: one vector whatever comes, that of the
 * first text of an array that is not blank, and zeros where there is none.
 */
export function createEmbeddingFunction(
  options: EmbeddingFunctionOptions & { compat: 'brainy' },
): (data: string | string[], options?: { signal?: AbortSignal }) => Promise<number[]>;
export function createEmbeddingFunction(options?: EmbeddingFunctionOptions): EmbeddingFunction;

/** The mock as a function: 384 values `Math.sin(h + i) * 0.1` as float64. Needs neither a model nor the addon. */
export const mockEmbeddingFunction: EmbeddingFunction;
