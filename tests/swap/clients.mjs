// What published packages compute with the package that they know as @huggingface/transformers: {client: async () => result}.
// Results hold numbers, strings, arrays and Float32Array; a vector is an array of 384 numbers. The working directory has a
// folder models in the layout of transformers.js.

const MODEL = 'Xenova/all-MiniLM-L6-v2';
const LONG = Array.from({ length: 700 }, (_, i) => ['memory', 'small', 'vector', 'good', 'river'][(i * i) % 5]).join(' ');
const TEXTS = ['The cat sleeps.', 'Caf\u00e9 \u6771\u4eac, a na\u00efve\nfa\u00e7ade \u2615', LONG];
const DOCUMENT = 'The cat sleeps on the warm roof. A kitten naps beside it all afternoon. Cats dream when they are warm. ' +
  'The central bank raised its rates again. Markets fell after the decision of the bank. Bonds lost a little as well. ' +
  'Rain is expected in the north. The river may rise by a metre. Farmers have moved their cattle uphill.';

async function transformers() {
  const { AutoModel, AutoTokenizer, cos_sim, mean_pooling, pipeline } = await import('@huggingface/transformers');
  const extractor = await pipeline('feature-extraction', MODEL, { dtype: 'fp32' });
  const pooled = {};
  for (const pooling of ['mean', 'cls']) pooled[pooling] = (await extractor(TEXTS, { pooling, normalize: true })).tolist();
  // In a batch, transformers.js takes the vector of the padding behind a shorter text.
  pooled.last_token = [];
  for (const text of TEXTS) {
    pooled.last_token.push((await extractor(text, { pooling: 'last_token', normalize: true })).tolist()[0]);
  }
  const tokens = await extractor(TEXTS[0]);
  const raw = await extractor(TEXTS[0], { pooling: 'mean' });

  const tokenizer = await AutoTokenizer.from_pretrained(MODEL);
  const model = await AutoModel.from_pretrained(MODEL, { dtype: 'fp32' });
  const inputs = await tokenizer(TEXTS.slice(0, 2), { padding: true, truncation: true });
  const { last_hidden_state: states } = await model(inputs);
  const means = mean_pooling(states, inputs.attention_mask).normalize(2, -1).tolist();
  return {
    pooled, dims: tokens.dims, tokens: tokens.tolist()[0], raw: raw.tolist()[0], means,
    ids: inputs.input_ids.tolist().map((row) => row.map(Number)),
    pair: tokenizer.encode('one text', { text_pair: 'and another' }),
    longest: tokenizer(LONG, { truncation: true }).input_ids.dims,
    limit: tokenizer.model_max_length,
    config: extractor.model.config.hidden_size,
    similar: Math.round(1e4 * cos_sim(means[0], means[1])),
  };
}

async function langchain() {
  const { HuggingFaceTransformersEmbeddings } = await import('@langchain/community/embeddings/huggingface_transformers');
  const embeddings = new HuggingFaceTransformersEmbeddings({ model: MODEL });
  return [...await embeddings.embedDocuments(TEXTS), await embeddings.embedQuery(TEXTS[0])];
}

async function llamaindex() {
  const { HuggingFaceEmbedding } = await import('@llamaindex/huggingface');
  const embedding = new HuggingFaceEmbedding({ modelType: MODEL, modelOptions: { dtype: 'fp32' } });
  return embedding.getTextEmbeddings(TEXTS);
}

async function chroma() {
  const { DefaultEmbeddingFunction } = await import('@chroma-core/default-embed');
  return new DefaultEmbeddingFunction().generate(TEXTS);
}

async function vectra() {
  const { LocalEmbeddings, TransformersEmbeddings } = await import('vectra');
  const statuses = new Set();
  const progressCallback = ({ status }) => statuses.add(status);
  // Its default, auto, makes transformers.js look for CUDA, which an installation without scripts does not have.
  const embeddings = await TransformersEmbeddings.create({ model: MODEL, device: process.env.SWAP_DEVICE, progressCallback });
  const tokenizer = embeddings.getTokenizer();
  const ids = tokenizer.encode(TEXTS[1]);
  const local = await new LocalEmbeddings({ model: MODEL }).createEmbeddings(TEXTS);
  return {
    transformers: await embeddings.createEmbeddings(TEXTS), local, ids, decoded: tokenizer.decode(ids), long: tokenizer.encode(LONG),
    statuses: ['initiate', 'done', 'ready'].filter((status) => statuses.has(status)),
  };
}

async function lancedb() {
  const { getRegistry } = (await import('@lancedb/lancedb/embedding')).default;
  const embedding = await getRegistry().get('huggingface').create({ model: MODEL });
  // Texts of one length, because this package averages over the padding too, whose vectors are zeros in thimble.
  const sources = await embedding.computeSourceEmbeddings(['The cat sleeps.', 'The dog sleeps.']);
  return { sources, query: await embedding.computeQueryEmbeddings(TEXTS[1]), dimensions: embedding.ndims() };
}

async function semanticChunking() {
  const { chunkit, cramit } = await import('semantic-chunking');
  const options = { dtype: 'fp32', maxTokenSize: 64, returnEmbedding: true };
  const documents = [{ document_name: 'one', document_text: DOCUMENT }];
  const chunks = [...await chunkit(documents, options), ...await cramit(documents, options)];
  return chunks.map(({ text, token_length: tokens, embedding }) => ({ text, tokens, embedding }));
}

async function localRag() {
  const { Embedder } = await import('mcp-local-rag/dist/embedder/index.js');
  const embedder = new Embedder({ modelPath: MODEL, batchSize: 2, cacheDir: './models', device: 'cpu' });
  const result = {
    vectors: await embedder.embedBatch(TEXTS), query: await embedder.embed(TEXTS[0]),
    limit: await embedder.getTokenLimit(), tokens: await embedder.countTokens(TEXTS),
  };
  await embedder.dispose();
  return result;
}

export const clients = {
  transformers, '@langchain/community': langchain, '@llamaindex/huggingface': llamaindex, '@chroma-core/default-embed': chroma,
  vectra, '@lancedb/lancedb': lancedb, 'semantic-chunking': semanticChunking, 'mcp-local-rag': localRag,
};
