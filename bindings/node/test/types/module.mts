// How the types are meant to be used from ES modules; tsc must accept it, and refuse the lines below @ts-expect-error.

import {
  Embedder, ModelPool, Reranker, ThimbleError, createEmbeddingFunction, memory, mockEmbeddingFunction, plan, pull, rerank,
  type Dtype, type EmbeddingFunction, type HalfArray, type ModelInfo, type PulledModel, type RankedDocument, type Report,
} from 'thimble';
import { Tensor, cos_sim, env, pipeline } from 'thimble/transformers';
import { ThimbleEmbeddings, ThimbleRerank } from 'thimble/langchain';
import { embeddingModel } from 'thimble/ai';
import { embeddingFunction } from 'thimble/brainy';
import { ThimbleEmbedding, ThimbleRerank as NodeRerank } from 'thimble/llamaindex';
import { ThimbleEmbeddingFunction } from 'thimble/chroma';
import type { Embeddings } from '@langchain/core/embeddings';
import type { BaseDocumentCompressor } from '@langchain/core/retrievers/document_compressors';
import type { BaseNodePostprocessor } from '@llamaindex/core/postprocessor';
import { embed as embedWithAi } from 'ai';
import type { EmbeddingFunction as ChromaFunction } from 'chromadb';
import { Settings } from 'llamaindex';

const dtype: Dtype = 'q4';
const embed: EmbeddingFunction = createEmbeddingFunction({
  modelName: 'Xenova/paraphrase-MiniLM-L3-v2', dtype, backend: 'native', maxMemory: '16MB', unloadAfterMs: Infinity,
  threads: 2, maxTokens: 128, truncation: 'transformers.js', longTexts: 'chunk', chunkOverlap: 16,
  promptName: 'query', normalize: true, signal: AbortSignal.timeout(1000),
});
const one: number[] = await embed('a');
const many: number[][] = await embed(['a', 'b'] as const, { signal: new AbortController().signal });
const first: number[] = await embeddingFunction({ modelName: 'small' })(['a'], { signal: AbortSignal.timeout(1000) });
const mocked: number[] = await mockEmbeddingFunction('a');

const embedder = await Embedder.create('all-MiniLM-L6-v2');
const info: ModelInfo = embedder.info;
const remote = createEmbeddingFunction({
  backend: 'openai:m@http://gpu:8000/v1,cohere:m', dimensions: 256, encoding: 'float', requestTexts: 10, concurrency: 2, maxRetries: 0,
  timeoutMs: 1000, cache: { maxBytes: '1MB' }, space: 'm',
});
const limits: number | undefined = (await Embedder.create('m', { backend: 'openai', baseUrl: 'http://gpu' })).info.limits?.texts;
const vector: Float32Array = await embedder.embed('a', { pooling: 'cls' });
const vectors: Float32Array[] = embedder.embedSync(['a']);
const codes: Int8Array[] = await embedder.embed(['a'], { precision: 'int8', dimensions: 32 });
const bits: Uint8Array = await (await Embedder.create('m', { precision: 'ubinary' })).embed('a');
const coded: Int8Array = await (await Embedder.create('m', { precision: 'ubinary' })).embed('a', { precision: 'binary' });
const half: HalfArray = await embedder.embed('a', { precision: 'float16' });
const halves: HalfArray[] = (await Embedder.create('m', { precision: 'float16' })).embedSync(['a']);
const either = 'a' as string | string[];
const vectorOrVectors: Float32Array | Float32Array[] = await embedder.embed(either);
const codesOrVectors: Int8Array | Int8Array[] = embedder.embedSync(either, { precision: 'int8' });
const numbers: number[] | number[][] = await embed(either);
const into: Report[] = await embedder.embedInto(['a'], new Uint8Array(embedder.dimensions), { precision: 'uint8' });
void embedder.embedInto(['a'], new Uint16Array(embedder.dimensions), { precision: 'float16' });
const reports: Report[] = await embedder.embedInto(['a'], new Float32Array(new SharedArrayBuffer(4 * embedder.dimensions)));
for await (const { text, vector, tokens, truncated } of embedder.embedStream(['a'], { batchSize: 8 })) {
  const values: [string, Float32Array, number | undefined, boolean | undefined] = [text, vector, tokens, truncated];
  void values;
}

const pool = new ModelPool({ folder: 'models', maxMemory: 1e7, download: true });
const pulled: PulledModel = await pull('Xenova/all-MiniLM-L6-v2', {
  dtype: 'q4', revision: 'main', folder: 'models', force: true, signal: AbortSignal.timeout(1000),
  onProgress: ({ stage, bytes, totalBytes, share }) => stage === 'converting' && void (bytes + totalBytes + share),
});
const pooled: Embedder = await pool.getModel('small', { dtype: 'fp16' });
const bytes: number = (await plan('small')).peakBytes + memory().private + pool.stats().usedMemory;
const end: () => Promise<void> = () => pool[Symbol.asyncDispose]();

const extractor = await pipeline('feature-extraction', 'Xenova/all-MiniLM-L6-v2', { dtype: 'q8', device: 'cpu', download: true });
const output: Tensor = await extractor(['a'], { pooling: 'mean', normalize: true, quantize: true, precision: 'binary' });
const cosine: number = cos_sim(output.tolist()[0], one);
env.allowRemoteModels = false;

const langchain: Embeddings = new ThimbleEmbeddings({ modelName: 'small', maxConcurrency: 2 });
const chroma: ChromaFunction = new ThimbleEmbeddingFunction({ dtype: 'q8' });
Settings.embedModel = new ThimbleEmbedding();
await embedWithAi({ model: embeddingModel('small', { threads: 2 }), value: 'a' });

try {
  await embed('a');
} catch (error) {
  if (error instanceof ThimbleError && error.code === 'overloaded' && error.partial?.[0] === undefined) throw error;
}

// @ts-expect-error: there is no such dtype.
createEmbeddingFunction({ dtype: 'q2' });
// @ts-expect-error: there is no such backend.
createEmbeddingFunction({ backend: 'azure' });
// @ts-expect-error: there is no such option.
createEmbeddingFunction({ model: 'small' });
// @ts-expect-error: texts are strings.
void embed([1]);
// @ts-expect-error: an array gives arrays.
const wrong: number[] = await embed(['a']);
// @ts-expect-error: codes have arrays of their own.
const floats: Float32Array = await embedder.embed('a', { precision: 'int8' });
// @ts-expect-error: made by create() alone.
new Embedder();
// @ts-expect-error: there is no such code.
new ThimbleError('none', '');
// @ts-expect-error: what is known of a model does not change.
embedder.info.dimensions = 1;
// @ts-expect-error: there is one task.
await pipeline('text-generation');

void [half, halves, vectorOrVectors, codesOrVectors, numbers];
void [codes, bits, coded, into, floats, remote, limits, pulled, many, first, mocked, info, vector, vectors, reports, pooled, bytes, end, cosine, langchain, chroma, wrong];

const ranked: RankedDocument[] = await rerank('query', ['a', 'b'] as const, { model: 'mock', topN: 1, returnDocuments: true });
const reranker: Reranker = await new ModelPool().getReranker('ranks', { dtype: 'q8', rawScores: true, longTexts: 'error' });
const scores: Float32Array = await reranker.scores('query', ['a'], { promptName: '' });
const labels: readonly string[] | undefined = reranker.info.labels;
const compressor: BaseDocumentCompressor = new ThimbleRerank({ model: 'mock', topN: 3 });
const postprocessor: BaseNodePostprocessor = new NodeRerank({ model: 'mock' });
// @ts-expect-error -- a remote backend
await Reranker.create('ranks', { backend: 'openai:model' });
// @ts-expect-error -- an option of vectors
await rerank('query', ['a'], { pooling: 'mean' });
