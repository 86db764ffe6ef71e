// thimble for Node.js: sentence embeddings on CPU, off the main thread, in a few megabytes.
//
// A model is a name, with or without its organisation ("all-MiniLM-L6-v2", "Xenova/all-MiniLM-L6-v2"), a folder, or the
// path of a file that ends in .safetensors. Sizes are bytes, or strings such as "16MB" or "1.5 GiB". Functions fail with a
// ThimbleError, which they throw or reject with; an aborted call rejects with the reason of its signal.

/// <reference lib="esnext.disposable" />

/** How a model's weights are stored. */
export type Dtype = 'fp32' | 'fp16' | 'q8' | 'q6' | 'q4' | 'q4-small';

/** How the vectors of a text's tokens become one vector. */
export type Pooling = 'mean' | 'cls' | 'last' | 'max' | 'mean_sqrt_len_tokens' | 'weightedmean';

/**
 * The source of vectors: the native engine; `mock`, with 384 values `v[i] = Math.sin(h + i) * 0.1`, where h is the sum of the
 * text's UTF-16 code units; `mock-hashed`, with vectors of hashed character n-grams, which are similar for similar texts; or a
 * provider: `openai:MODEL`, `tei:URL`, `ollama:MODEL`, `cohere:MODEL`, `voyage:MODEL`, `jina:MODEL`. `NAME:MODEL@URL` selects
 * another base URL. Several names separated by commas form a chain: if one fails, the next is used. See docs/backends.md.
 */
export type Backend = 'native' | 'mock' | 'mock-hashed' | Provider | `${Provider}:${string}` | `${string},${string}`;
export type Provider = 'openai' | 'tei' | 'ollama' | 'cohere' | 'voyage' | 'jina';

/**
 * The truncation limit to follow: the model's own; that of transformers.js, 512 tokens or the model's positions; or that of
 * the model's tokenizer.json.
 */
export type Truncation = 'sentence-transformers' | 'transformers.js' | 'tokenizers';

/**
 * How to handle texts of more than maxTokens tokens: embed only the first tokens; fail with an error that names the text and
 * its number of tokens; or embed overlapping windows of maxTokens that end between words, and return the mean of their
 * vectors, weighted by their tokens.
 */
export type LongTexts = 'truncate' | 'error' | 'chunk';

/**
 * The form of vectors. float16 is IEEE 754 binary16, rounded to nearest; the others are as in quantize_embeddings of
 * sentence-transformers: int8 is a signed byte for each component, proportional to it by a range in the model file, and uint8 the
 * same plus 128; ubinary is a bit for each component, 1 if it is above 0, packed as by numpy.packbits, and binary the same minus
 * 128.
 */
export type Precision = 'float32' | 'float16' | 'int8' | 'uint8' | 'binary' | 'ubinary';

/**
 * A vector in float16: a Float16Array if the runtime has that class, as Node.js has from version 24 on, and else its bits in a
 * Uint16Array. embedInto() takes either.
 */
export type HalfArray =
  Uint16Array | (typeof globalThis extends { Float16Array: { prototype: infer Halves } } ? Halves : never);

/** The array of a vector with these options. */
export type VectorOf<Options, Default = Float32Array> =
  Options extends { precision: 'int8' | 'binary' } ? Int8Array
    : Options extends { precision: 'uint8' | 'ubinary' } ? Uint8Array
      : Options extends { precision: 'float16' } ? HalfArray
        : Options extends { precision: 'float32' } ? Float32Array : Default;

export type ErrorCode =
  | 'invalid_argument' // The caller passed something that can never work.
  | 'not_found' // The model does not exist here; the message contains the command that gets it.
  | 'corrupt' // A file contradicts itself or its format.
  | 'unsupported' // Well formed, but not supported by this build.
  | 'io' // The system refused or failed.
  | 'out_of_memory' // Memory or the budget is not sufficient.
  | 'overloaded'; // Busy: no memory within maxWaitMs, or a provider's limits; the same call may succeed later.

export class ThimbleError extends Error {
  constructor(code: ErrorCode, message: string, options?: { cause?: unknown });
  readonly code: ErrorCode;
  /** HTTP status, if a remote backend replied with an error. */
  readonly status?: number;
  /** After a failed call to a remote backend: the vectors received so far, undefined for the other texts. Embedding
   * functions have arrays of numbers here. */
  readonly partial?: readonly (Float32Array | HalfArray | Int8Array | Uint8Array | number[] | undefined)[];
  /** Index of the text of partial[0]: 0, or in embedStream() the start of the batch. */
  readonly first?: number;
}

export interface PoolOptions {
  /** Folder of models. Default: THIMBLE_HOME in the environment, or thimble in XDG_CACHE_HOME or ~/.cache. */
  folder?: string;
  /** Whether a model that is not on this machine is downloaded when it is first asked for. Default: false, which makes it an
   * error. What is here as a folder or in another program's cache is converted in any case. */
  download?: boolean;
  /** Limit of the private memory of all models and calls. Default: THIMBLE_MAX_MEMORY, or half of the memory of the machine
   * or its control group. */
  maxMemory?: number | string;
  /** Limit of the number of loaded models. Default: as many as fit. */
  maxModels?: number;
  /** Time after which an unused model is unloaded; 0 for at once, Infinity for never. Default: 30,000. */
  unloadAfterMs?: number;
  /** How long a call waits for memory before it fails as overloaded. Default: 30,000. */
  maxWaitMs?: number;
  /** How the file of a model gets into memory: mapped, so that processes share its pages, or copied into private memory,
   * which counts against maxMemory: for files that may change. Default: map. */
  load?: 'map' | 'copy';
  /** Whether a model is refused as corrupt unless its weights have the SHA-256 that its file records. Reads the whole file,
   * once in a process unless it changes. Mocks ignore it. Default: false. */
  verify?: boolean;
  /** Threads per call, 1 to 64. Vectors do not depend on it. Default: THIMBLE_THREADS, or 1. */
  threads?: number;
  /** Token limit of a text or window. Default: the limit that `truncation` selects. */
  maxTokens?: number;
  /** Truncation limit to follow if maxTokens is not given. Default: sentence-transformers. */
  truncation?: Truncation;
  /** A file that keeps the vectors of texts, for several models and processes: { path, maxBytes }. Default: none. */
  cache?: CacheOptions;
}

export interface CacheOptions {
  /** File of vectors that were computed before, made if it is missing. Vectors do not depend on it. For the native backend;
   * mocks and rerankers do not use it. Without a path, the cache is in memory, for remote backends. */
  path?: string;
  /** Most bytes. A file has as many as it was made for. Default: those of the file, or 256 MiB for a new one; a cache in
   * memory has no default. */
  maxBytes?: number | string;
}

export interface VectorOptions {
  /** Default: the model's own. An error for models that combine several. */
  pooling?: Pooling;
  /** Whether vectors are scaled to unit length. Default: as the model states. */
  normalize?: boolean;
  /** Length of the vectors: the first components of the model's, normalised again if vectors are, for models trained for it
   * (Matryoshka). A remote backend has it for all calls and asks the provider for it. Default: all. */
  dimensions?: number;
  /** int8 and uint8 require vectors of unit length and the native backend. Default: float32. */
  precision?: Precision;
  /** Name of the prompt in info.prompts before every text; '' for none. Default: the model's default. */
  promptName?: string;
  /** Default: truncate. */
  longTexts?: LongTexts;
  /** Tokens that a window shares with the previous one, at most half of it. Default: an eighth of maxTokens. */
  chunkOverlap?: number;
}

/** Options of remote backends. The native backend refuses them; mocks ignore them. */
export interface RemoteOptions {
  /** Base URL, if there is exactly one remote backend. Default: that in the backend's name, or OPENAI_BASE_URL, OLLAMA_HOST,
   * or the provider's. */
  baseUrl?: string;
  /** Encoding of vectors in replies. Default: base64 if the provider documents it. */
  encoding?: 'base64' | 'float';
  /** Most texts in a request. Default: 256, or the provider's limit if that is lower. */
  requestTexts?: number;
  /** Most simultaneous requests of all calls. Default: 4. */
  concurrency?: number;
  /** Most retries of a request after a status of 408, 409, 429 or 5xx or a lost connection. Default: 4. */
  maxRetries?: number;
  /** Time limit of a call. Default: none; each attempt of a request fails after 60,000. */
  timeoutMs?: number;
  /** Keeps vectors in memory, so that a text is paid for only once: { maxBytes }. Default: none. */
  cache?: CacheOptions;
  /** Name of the vector space that all backends of a chain share, by assurance of the caller. */
  space?: string;
}

export interface ModelOptions extends VectorOptions, RemoteOptions {
  /** Default: q8. The path of a model file has its own, and refuses another. */
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
  /** For remote backends, instead of that of the embedder. */
  timeoutMs?: number;
}

/** What happened to one text. */
export interface Report {
  /** Tokens embedded, prompt and special tokens included, each counted once. undefined if a remote backend does not state it,
   * for example for several texts in a request. */
  tokens: number | undefined;
  /** Whether the text had more; undefined if a remote backend does not state it. */
  truncated: boolean | undefined;
  /** Number of windows, only with longTexts: 'chunk'. */
  chunks?: number;
}

/** Properties of a model. What a remote backend does not state is 0 or empty. */
export interface ModelInfo {
  readonly name: string;
  /** Without the model: native, mock, openai; of a chain all of them: native,openai. */
  readonly backend: string;
  /** Identity of the vector space, with the dimensions and the precision of the embedder: vectors with equal fingerprints can be
   * compared. Empty for mocks. */
  readonly fingerprint: string;
  /** Family of the encoder: bert, xlm-roberta, distilbert, ... Absent for mocks and remote models. */
  readonly architecture?: string;
  readonly dtype: Dtype | '';
  /** Components of a vector of the embedder. */
  readonly dimensions: number;
  readonly layers: number;
  readonly heads: number;
  readonly vocabulary: number;
  /** Longest sequence the weights allow, in tokens. */
  readonly positions: number;
  /** Truncation limit. */
  readonly maxTokens: number;
  /** Truncation limit of the model's tokenizer.json. */
  readonly tokenizersMaxTokens: number;
  /** Where transformers.js truncates. Absent for a remote model. */
  readonly modelMaxLength?: number;
  /** Prompts by name: { query: 'query: ' }. For remote backends, the input types that are sent: { query: 'search_query' }. */
  readonly prompts: Readonly<Record<string, string>>;
  /** Name of the default prompt; undefined if there is none. */
  readonly defaultPromptName?: string;
  /** Length of a token's vector. */
  readonly tokenDimensions: number;
  /** One, or several separated by '+'; '' if the model does not state it, and every call must set it. */
  readonly pooling: string;
  /** Steps between pooling and vector: 'dense', 'layer_norm', 'normalize', 'truncate'. */
  readonly modules: readonly string[];
  readonly normalize: boolean;
  readonly fileBytes: number;
  /** Cosines between unrelated texts: the share of so many pairs that is below each. Absent for mocks, remote models, files of an
   * older converter, and an embedder of shorter vectors, codes, or another pooling. */
  readonly unrelatedCosines?: {
    readonly pairs: number;
    readonly quantiles: readonly { readonly share: number; readonly cosine: number }[];
  };
  /** Supported values of longTexts. */
  readonly longTexts: readonly LongTexts[];
  /** For remote backends: most texts in a request, and most bytes of its texts. */
  readonly limits?: { readonly texts: number; readonly bytes: number };
}

/**
 * A model that is loaded when used and unloaded when idle. Needs no disposal. All embedders of a process with the same
 * options, including those of worker threads, share one copy.
 */
export class Embedder<Vector = Float32Array> {
  /**
   * Loads the model once, so that errors occur here. `model` is [ORGANISATION/]NAME[@REVISION], a folder
   * that begins with "/", "./" or "../", or the path of a .safetensors file; `mock` or `mock-hashed`; or a name that the
   * provider of a remote backend knows, unless that backend names a model itself. A remote backend embeds
   * one word here, unless `dimensions` is given.
   */
  static create<Options extends ModelOptions & PoolOptions>(
    model: string, options?: Options): Promise<Embedder<VectorOf<Options>>>;
  private constructor();

  readonly info: ModelInfo;
  readonly dimensions: number;

  /** One vector for a string, an array of vectors, in order, for an array. They are views of one buffer. */
  embed<Options extends CallOptions>(text: string, options?: Options): Promise<VectorOf<Options, Vector>>;
  embed<Options extends CallOptions>(texts: readonly string[], options?: Options): Promise<VectorOf<Options, Vector>[]>;
  embed<Options extends CallOptions>(
    texts: string | readonly string[], options?: Options): Promise<VectorOf<Options, Vector> | VectorOf<Options, Vector>[]>;

  /**
   * Writes the vector of texts[i] to vectors[i * n ...], n the length of a vector; the array may be on a SharedArrayBuffer.
   * Memory does not grow with the number of texts.
   */
  embedInto<Options extends CallOptions>(
    texts: string | readonly string[], vectors: VectorOf<Options, Vector>, options?: Options): Promise<Report[]>;

  /** As embed(), but blocks this thread; for scripts. Remote backends do not support it. */
  embedSync<Options extends CallOptions>(text: string, options?: Options): VectorOf<Options, Vector>;
  embedSync<Options extends CallOptions>(texts: readonly string[], options?: Options): VectorOf<Options, Vector>[];
  embedSync<Options extends CallOptions>(
    texts: string | readonly string[], options?: Options): VectorOf<Options, Vector> | VectorOf<Options, Vector>[];

  /**
   * Embeds the texts of an iterable in order; reads at most one batch ahead of the consumer. A batch is the texts that are
   * available, up to batchSize (default 64, or 256 for remote backends).
   */
  embedStream<Options extends CallOptions & { batchSize?: number }>(
    texts: Iterable<string> | AsyncIterable<string>,
    options?: Options,
  ): AsyncGenerator<{ text: string; vector: VectorOf<Options, Vector> } & Report, void, void>;

  /** The vectors of a text's tokens, [tokens][info.tokenDimensions], neither pooled nor normalised. Remote backends
   * do not have it. */
  embedTokens(text: string, options?: { signal?: AbortSignal }): Promise<Report & { vectors: Float32Array }>;

  /**
   * How unusual a cosine of two of this model's vectors is: the percentage of pairs of unrelated texts that are less alike,
   * from 0 to just below 100. It means the same for every model, which cosines do not. undefined if
   * info.unrelatedCosines is absent. It holds for vectors of full length and the model's own pooling.
   */
  percentile(cosine: number): number | undefined;

  /** Unloads the model when its running calls are done, and resolves when its memory is released. The next call loads it.
   * With a remote backend, it empties the cache. */
  unload(): Promise<void>;
}

export interface Plan {
  /** The model file: shared by all processes that use it; the system can drop it. */
  mappedBytes: number;
  /** Private: tables, stacks, and pages that the code touches. */
  fixedBytes: number;
  scratchBytesPerThread: number;
  threads: number;
  /** fixedBytes + threads * scratchBytesPerThread: limit of the private bytes of a call. */
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
  /** Of a cache file, in this process: vectors that it had, vectors that were computed, and how many of these it keeps. */
  cache?: { hits: number; misses: number; writes: number };
  models: {
    name: string;
    /** Empty for a path and for a mock. */
    dtype: Dtype | '';
    mappedBytes: number;
    privateBytes: number;
    /** Running calls. */
    leases: number;
    uses: number;
    pinned: boolean;
    idleMs: number;
  }[];
}

export interface RankOptions {
  /** Whether scores are what the model gives, without the function that it states for them: info.scoreActivation.
   * Default: false. */
  rawScores?: boolean;
  /** Name of the prompt in info.prompts before the query; '' for none. Default: the model's default. */
  promptName?: string;
  /** How to handle a query and a document that have more than maxTokens tokens together: cut the longer one first, or fail
   * with an error that names the document. Default: truncate. */
  longTexts?: 'truncate' | 'error';
}

export interface RerankerOptions extends RankOptions {
  /** Default: q8. The path of a model file has its own, and refuses another. */
  dtype?: Dtype;
  /** As in ModelOptions. */
  revision?: string;
  /** Default: native. Mocks score by the cosine of their vectors of query and document; remote backends are not supported. */
  backend?: 'native' | 'mock' | 'mock-hashed';
  /** Aborts the loading of the model. */
  signal?: AbortSignal;
}

export interface RankCallOptions extends RankOptions {
  /** Most documents to return. Default: all. */
  topN?: number;
  /** Whether results include the documents. Default: false. */
  returnDocuments?: boolean;
  signal?: AbortSignal;
}

export interface RankedDocument {
  /** Of the document in the array of the call. */
  index: number;
  /** How well it answers the query: higher is better. */
  score: number;
  /** With returnDocuments. */
  document?: string;
}

export interface RerankerInfo extends ModelInfo {
  /** Names of the scores of a pair, one for each; absent for a mock, which has one score. */
  readonly labels?: readonly string[];
  /** What scores go through unless they are asked for raw. */
  readonly scoreActivation?: 'sigmoid' | 'identity';
}

/**
 * A cross-encoder: a model that reads a query together with each document. Loaded when used and unloaded when idle, like an
 * Embedder. The score of a document does not depend on the other documents.
 */
export class Reranker {
  /** Loads the model once, so that errors occur here. `model` is as for Embedder.create. `unsupported` for an embedding
   * model. */
  static create(model: string, options?: RerankerOptions & PoolOptions): Promise<Reranker>;
  private constructor();

  readonly info: RerankerInfo;

  /** The documents, best first; equal scores in the order of the array. `unsupported` for a model with several scores. */
  rank(query: string, documents: readonly string[], options?: RankCallOptions): Promise<RankedDocument[]>;
  /** The scores of all documents in their order, [documents][labels]. */
  scores(
    query: string, documents: readonly string[], options?: RankOptions & { signal?: AbortSignal },
  ): Promise<Float32Array>;
  /** As that of Embedder. */
  unload(): Promise<void>;
}

/** Ranks documents by how well they answer a query. `model` is a reranker, by default ms-marco-MiniLM-L6-v2; all calls of a
 * process share one copy. */
export function rerank(
  query: string,
  documents: readonly string[],
  options?: { model?: string } & RankCallOptions & RerankerOptions & PoolOptions,
): Promise<RankedDocument[]>;

export interface NamedModel {
  /** Default: q8. The path of a model file has its own, and refuses another. */
  dtype?: Dtype;
  /** As in ModelOptions. */
  revision?: string;
  signal?: AbortSignal;
}

/** Models by name, one copy of each, loaded on demand and unloaded when idle, within one budget. */
export class ModelPool {
  constructor(options?: PoolOptions);
  /** Loads the model if necessary. The embedder works until the pool is disposed. */
  getModel<Options extends ModelOptions>(model: string, options?: Options): Promise<Embedder<VectorOf<Options>>>;
  /** The same for a reranker. */
  getReranker(model: string, options?: RerankerOptions): Promise<Reranker>;
  /** The most memory that a call with the model takes; keeps nothing loaded. */
  plan(model: string, options?: NamedModel): Promise<Plan>;
  preload(model: string, options?: NamedModel): Promise<void>;
  /** Loads the model and keeps it loaded until unpin() or unload(). */
  pin(model: string, options?: NamedModel): Promise<void>;
  unpin(model: string, options?: { dtype?: Dtype; revision?: string }): void;
  /** Resolves when running calls are done and the model's memory is released. */
  unload(model: string, options?: { dtype?: Dtype; revision?: string }): Promise<void>;
  stats(): PoolStats;
  /** Unloads everything. Later calls fail. */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface PullProgress {
  /** Waiting for another process that pulls the same model, downloading, or converting. */
  stage: 'waiting' | 'downloading' | 'converting';
  /** Downloaded so far. */
  bytes: number;
  /** Of all files together; 0 while unknown. */
  totalBytes: number;
  /** Share of the model that is written, from 0 to 1. */
  share: number;
}

export interface PullOptions {
  /** Default: q8. */
  dtype?: Dtype;
  /** A branch, a tag or a commit, the same as behind the @ of a name. Default: main. */
  revision?: string;
  /** Folder of models, as in PoolOptions. */
  folder?: string;
  /** Name to give to the model, [ORGANISATION/]NAME. Default: its name on the hub, or the last component of the folder. */
  name?: string;
  /** For models that do not state it; an error if it contradicts the model. */
  pooling?: Pooling;
  /** Likewise: whether vectors are scaled to unit length. Default: the built-in value for the model, else false. */
  normalize?: boolean;
  /** Downloads and converts the model even if it exists. Default: false. */
  force?: boolean;
  /** Aborts the download or the conversion; a later pull resumes the download. */
  signal?: AbortSignal;
  /** Called several times a second. If it throws, the pull is aborted and rejects with the same value. */
  onProgress?: (progress: PullProgress) => void;
}

export interface StoredModel {
  /** NAME[@REVISION], or the path of its source folder. */
  name: string;
  dtype: Dtype;
  path: string;
  bytes: number;
  /** Empty when none is recorded. */
  organisation: string;
  /** On the hub; empty for a model from elsewhere. */
  repository: string;
  /** The commit. */
  revision: string;
}

export interface PulledModel extends StoredModel {
  /** False if it was already on this machine. */
  downloaded: boolean;
}

/**
 * Converts a model into the folder unless it is there: from the cache of huggingface_hub or transformers.js, or otherwise from
 * the Hugging Face hub (or HF_ENDPOINT, with HF_TOKEN). `model` is ORGANISATION/NAME[@REVISION], a known name, or a folder that
 * begins with "/", "./" or "../". If several processes pull the same model, one of them does the work. Downloads need libcurl;
 * `unsupported` without it, and on Windows.
 */
export function pull(model: string, options?: PullOptions): Promise<PulledModel>;

/** The models in the folder. `used` is when the file was last read, if the file system records it. */
export function list(options?: { folder?: string }): (StoredModel & { used: Date })[];

/**
 * Removes a model, or one dtype of it, and the files of interrupted pulls; for a folder, the models made from it. Returns the
 * removed models.
 */
export function remove(
  model: string, options?: { dtype?: Dtype; folder?: string },
): (StoredModel & { used: Date })[];

/** The score of a model in a benchmark: a mean over those tasks for which a result was published. */
export interface BenchmarkScore {
  /** In percent. */
  mean: number;
  /** Of 41 in MTEB(eng, v2), of 130 in MTEB(Multilingual, v2) without Flores. */
  tasks: number;
  /** Mean over the retrieval tasks only; the metric of most of them is nDCG@10. */
  retrieval: number;
}

export interface KnownModel {
  /** On the Hugging Face hub. */
  repository: string;
  /** Other repositories that open it. */
  copies: string[];
  /** `model_type` of its config.json; `static` without an encoder. */
  family: string;
  supported: boolean;
  /** What thimble does not have yet and the model needs; empty if it is supported. */
  missing: string;
  kind: 'embedding' | 'reranker';
  language: 'en' | 'multilingual';
  /** Of its vectors; 0 for a reranker. */
  dimensions: number;
  /** 0 without a limit. */
  maxTokens: number;
  /** Used if its source states none; absent where the source must state it. */
  pooling?: Pooling;
  normalize?: boolean;
  /** Used if its source has none. */
  prompts: Record<string, string>;
  /** Of its model files, within a few percent; 0 if it is not supported. */
  bytesQ8: number;
  bytesQ4: number;
  /** As the hub spells it. */
  licence: string;
  /** MTEB(eng, v2), where nearly all tasks have a result. */
  mtebEnglish?: BenchmarkScore;
  /** MTEB(Multilingual, v2), likewise. */
  mtebMultilingual?: BenchmarkScore;
}

/** The most used models, from a built-in table: docs/models.md. */
export function knownModels(): KnownModel[];

/** The most memory that an embedder with these options takes; keeps nothing loaded. */
export function plan(model: string, options?: NamedModel & PoolOptions): Promise<Plan>;

/** The memory of this process in bytes, as reported by the kernel. `unsupported` if the system does not report it. */
export function memory(): {
  /** All pages in memory, shared ones counted in full. */
  rss: number;
  /** The same, with a page shared by n processes counted as 1/n. */
  pss: number;
  /** Pages without a file behind them. */
  private: number;
  /** Maximum of rss so far. */
  peakRss: number;
};

export interface EmbeddingFunctionOptions extends ModelOptions, PoolOptions {
  /** Default: all-MiniLM-L6-v2, only for the native backend. */
  modelName?: string;
  /** Aborts every call of the function. */
  signal?: AbortSignal;
}

/** Embeds texts as arrays of numbers. Blank texts are embedded like others. */
export interface EmbeddingFunction {
  (text: string, options?: { signal?: AbortSignal; promptName?: string }): Promise<number[]>;
  (texts: readonly string[], options?: { signal?: AbortSignal; promptName?: string }): Promise<number[][]>;
  (texts: string | readonly string[], options?: { signal?: AbortSignal; promptName?: string }): Promise<number[] | number[][]>;
}

/** A function that embeds. Its model is loaded with the first call; all functions with the same options share one copy. */
export function createEmbeddingFunction(options?: EmbeddingFunctionOptions): EmbeddingFunction;

/** The mock as a function: 384 values `Math.sin(h + i) * 0.1` as float64. Needs neither model nor addon. */
export const mockEmbeddingFunction: EmbeddingFunction;
