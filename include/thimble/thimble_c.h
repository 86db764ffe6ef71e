// The C interface of thimble, for bindings of other languages. Link libthimble_c, which has everything inside: the
// engine, the hub, remote backends and the command line.
//
//   thimble_text text = {0};
//   thimble_pool* pool = NULL;
//   if (thimble_pool_open(NULL, &pool, &text) != THIMBLE_OK) return Fail(text.data);
//   const char data[] = "a short text";
//   const uint64_t offsets[] = {0, 12};
//   const thimble_texts texts = {data, offsets, 1};
//   float vector[384];
//   thimble_job* job = thimble_pool_encode(pool, "all-MiniLM-L6-v2", "q8", &texts, NULL, vector, sizeof vector, NULL);
//   thimble_job_wait(job, -1);
//   if (thimble_job_result(job, &text) != THIMBLE_OK) return Fail(text.data);
//   thimble_job_free(job);
//   thimble_pool_close(pool);
//   thimble_text_free(&text);
//
// Errors. Functions return a thimble_code, and put a message (UTF-8, one or more sentences that say what failed, where,
// what was expected and found, and what to do) into the caller's thimble_text. No function throws, aborts or prints,
// except thimble_main.
//
// Threads. Every function may be called from any thread. A job may be waited for and cancelled by several threads, but
// freed by one only, when the others are done with it.
//
// Ownership. What a function returns through a pointer to a handle belongs to the caller, who passes it to the
// function named for that; NULL is allowed there. Strings and option structs are copied before a function returns.
// Texts, vectors and reports of a job are not: they must stay until the job has ended or was freed.
//
// Strings. `const char*` is UTF-8 and ends with a zero; texts are UTF-8 with lengths, and may contain zeros. In both,
// invalid bytes count as U+FFFD.
//
// Options. A struct of options begins with its size, sizeof(struct), and zeros in all other fields are the defaults.
// Later versions may add fields at the end: a program that was compiled with an older header keeps working, and a field
// that the library does not know yet is an error unless it is zero.
//
// Forks. Pools work in the child of a fork(). A job belongs to the process that started it: in the child it has ended
// with THIMBLE_INVALID_ARGUMENT, and a backend must be opened again there.

#ifndef THIMBLE_THIMBLE_C_H_
#define THIMBLE_THIMBLE_C_H_

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#if defined(THIMBLE_C_BUILD)
#define THIMBLE_C_API __declspec(dllexport)
#else
#define THIMBLE_C_API __declspec(dllimport)
#endif
#else
#define THIMBLE_C_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef enum thimble_code {
  THIMBLE_OK = 0,
  THIMBLE_INVALID_ARGUMENT = 1,  // The caller passed something that can never work.
  THIMBLE_NOT_FOUND = 2,         // The named file or model does not exist.
  THIMBLE_CORRUPT = 3,           // A file contradicts itself or its format.
  THIMBLE_UNSUPPORTED = 4,       // Well formed, but not supported by this build.
  THIMBLE_IO = 5,                // The system or the network refused or failed; also a job that was cancelled.
  THIMBLE_OUT_OF_MEMORY = 6,     // Memory or the budget is not sufficient.
  THIMBLE_OVERLOADED = 7         // Busy; the same call may succeed later.
} thimble_code;

// Where zero means the default: of a model, or of the function.
typedef enum thimble_choice { THIMBLE_NO = -1, THIMBLE_DEFAULT = 0, THIMBLE_YES = 1 } thimble_choice;

// A text from the library: `size` bytes and a zero behind them. Begins as {0}; a function that takes a pointer to it
// replaces what it holds. NULL where the caller wants no text.
typedef struct thimble_text {
  char* data;
  size_t size;
} thimble_text;

// Texts one behind the other: text i is the bytes [offsets[i], offsets[i + 1]) of data, count + 1 offsets in all.
typedef struct thimble_texts {
  const char* data;
  const uint64_t* offsets;
  size_t count;
} thimble_texts;

// Lists of token ids, likewise: list i is the ids [offsets[i], offsets[i + 1]).
typedef struct thimble_ids {
  const int32_t* data;
  const uint64_t* offsets;
  size_t count;
} thimble_ids;

typedef struct thimble_pool thimble_pool;
typedef struct thimble_backend thimble_backend;
typedef struct thimble_job thimble_job;

// The version of the library, "0.1.0".
THIMBLE_C_API const char* thimble_version(void);

// Frees the text, which is then {0}.
THIMBLE_C_API void thimble_text_free(thimble_text* text);

// Runs the command line in this process, whose signals and standard streams it uses; returns its exit code. For a
// process that does nothing else. `program` is the command that starts it, as an array that ends with NULL, for
// commands that start processes of their own; NULL if it is the program of this process.
THIMBLE_C_API int thimble_main(int argc, char** argv, const char* const* program);

// ---- Jobs ----
//
// A call that takes time is a job on a thread of the library. Functions that start one never fail: they return a job
// that has ended with an error, or NULL if there is no memory for that, which the functions below take as a job that
// has ended with THIMBLE_OUT_OF_MEMORY.

// Waits for the end of the job for so many milliseconds; below 0 without a limit. Returns 1 if it has ended, else 0.
THIMBLE_C_API int thimble_job_wait(thimble_job* job, int64_t milliseconds);

// Ends the job soon, at once if it has not started; it may still succeed. A cancelled job ends with THIMBLE_IO.
THIMBLE_C_API void thimble_job_cancel(thimble_job* job);

// How a job that has ended did so. `text` gets the message of an error, or the result of a job whose result is a text;
// otherwise it is empty. THIMBLE_OVERLOADED for a job that has not ended.
THIMBLE_C_API thimble_code thimble_job_result(thimble_job* job, thimble_text* text);

// What a pull or a conversion is doing.
typedef struct thimble_progress {
  int32_t stage;         // 0 not begun, 1 waiting for another process, 2 downloading, 3 converting.
  uint64_t bytes;        // Downloaded so far,
  uint64_t total_bytes;  // of so many; 0 while unknown.
  double share;          // Converted, from 0 to 1.
} thimble_progress;
THIMBLE_C_API void thimble_job_progress(thimble_job* job, thimble_progress* progress);

// The vectors [rows][columns] of a job that found their size itself; NULL for others. Valid until the job is freed.
THIMBLE_C_API const float* thimble_job_vectors(thimble_job* job, size_t* rows, size_t* columns);

// The ids of a job that tokenised: those of text i are [offsets[i], offsets[i + 1]), `count` + 1 offsets in all. NULL
// for others. Valid until the job is freed.
THIMBLE_C_API const int32_t* thimble_job_ids(thimble_job* job, const uint64_t** offsets, size_t* count);

// Cancels the job, waits for its end, and frees it.
THIMBLE_C_API void thimble_job_free(thimble_job* job);

// ---- Pools: models loaded on demand, one copy for all users, unloaded when idle, within one budget ----

typedef struct thimble_pool_options {
  size_t struct_size;
  const char* folder;       // Of models; NULL means THIMBLE_HOME, or thimble in the user's cache folder.
  size_t max_memory;        // The budget in private bytes; 0 means half of what the process may use.
  size_t max_models;        // 0 means as many as fit.
  int64_t unload_after_ms;  // A model unused for so long is unloaded; 0 means 30 s, below 0 never.
  int64_t max_wait_ms;      // How long a call waits for memory or its turn; 0 means 30 s, below 0 not at all.
  const char* load;         // "map" (default) or "copy".
  int32_t verify;           // 1 checks the hash of a file when it is opened.
  // Of each call.
  int32_t threads;         // 1 to 64; 0 means the processors that the process may use, at most 8.
  size_t call_max_memory;  // Limit of the private bytes of one call; 0 for none.
  size_t max_tokens;       // 0 means the limit that `truncation` selects.
  const char* truncation;  // "sentence-transformers" (default), "transformers.js" or "tokenizers".
  const char* cache;       // A file of vectors that were computed before; NULL for none.
  uint64_t cache_bytes;    // Its size when it is made; 0 means the default.
} thimble_pool_options;

// `options` may be NULL.
THIMBLE_C_API thimble_code thimble_pool_open(const thimble_pool_options* options, thimble_pool** pool,
                                             thimble_text* error);

// Jobs that run keep their models until they end; models without one are unloaded.
THIMBLE_C_API void thimble_pool_close(thimble_pool* pool);

// How vectors are computed.
typedef struct thimble_encode_options {
  size_t struct_size;
  const char* pooling;      // "mean", "cls", ...; NULL means the model's own.
  const char* prompt_name;  // NULL means the model's default, "" none.
  const char* long_texts;   // "truncate" (default), "error" or "chunk".
  const char* precision;    // "float32" (default), "float16", "int8", "uint8", "binary" or "ubinary".
  size_t dimensions;        // Length of the vectors, the first of the model's components; 0 means all.
  int64_t chunk_overlap;    // Tokens; 0 means an eighth of the limit, below 0 none.
  size_t first_index;       // Index of the first text in messages.
  int32_t normalize;        // A thimble_choice.
  int32_t timeout_ms;       // Of a backend's call; 0 for no limit. Pools have none.
} thimble_encode_options;

#define THIMBLE_UNKNOWN UINT64_MAX

// What happened to one text.
typedef struct thimble_report {
  uint64_t tokens;  // Tokens embedded, prompt and special tokens included; THIMBLE_UNKNOWN if a provider does not say.
  uint64_t truncated;  // 1 if the text had more; likewise.
  uint64_t chunks;     // Number of windows.
} thimble_report;

// `model` is a name, the path of a folder, the path of a .safetensors file, "mock" or "mock-hashed". `dtype` NULL means
// "q8" for a name and a folder, and that of a file; another than that is THIMBLE_INVALID_ARGUMENT. The errors of all:
// THIMBLE_NOT_FOUND for a model that is not on this machine (the
// message says how to get it), THIMBLE_CORRUPT and THIMBLE_UNSUPPORTED for its file, THIMBLE_OVERLOADED when there was
// no memory in time.

// Embeds texts[i] into vector i of `vectors`, one behind the other, which has vectors_bytes bytes: floats, or codes, a
// byte for a component or for eight (as numpy.packbits). `reports` is NULL or has an entry for each text. The vectors
// are the same whatever the threads, the processor and the other texts. After an error or a cancellation some may be
// written.
THIMBLE_C_API thimble_job* thimble_pool_encode(thimble_pool* pool, const char* model, const char* dtype,
                                               const thimble_texts* texts, const thimble_encode_options* options,
                                               void* vectors, size_t vectors_bytes, thimble_report* reports);

// The vectors of the tokens of one text, neither pooled nor normalised: thimble_job_vectors, a row for each token.
THIMBLE_C_API thimble_job* thimble_pool_encode_tokens(thimble_pool* pool, const char* model, const char* dtype,
                                                      const thimble_texts* text);

typedef struct thimble_rank_options {
  size_t struct_size;
  const char* prompt_name;  // As in thimble_encode_options.
  const char* long_texts;   // "truncate" (default) or "error".
  size_t first_index;
  int32_t raw_scores;  // 1 leaves out the model's activation.
} thimble_rank_options;

// Scores document i for the query, a thimble_texts of one text, into scores[i * n ..], where n is num_scores of
// thimble_pool_describe; `scores_count` floats in all.
THIMBLE_C_API thimble_job* thimble_pool_rank(thimble_pool* pool, const char* model, const char* dtype,
                                             const thimble_texts* query, const thimble_texts* documents,
                                             const thimble_rank_options* options, float* scores, size_t scores_count);

typedef struct thimble_tokenize_options {
  size_t struct_size;
  const char* prompt_name;  // As in thimble_encode_options.
  int32_t truncate;         // A thimble_choice: whether ids beyond the limit of the pool are left out; default yes.
  int32_t special_tokens;   // A thimble_choice: whether the ids include the tokens around a text; default yes.
  size_t max_tokens;        // The limit, at most the model's positions; 0 means that of the pool.
} thimble_tokenize_options;

// The ids of each text: thimble_job_ids.
THIMBLE_C_API thimble_job* thimble_pool_tokenize(thimble_pool* pool, const char* model, const char* dtype,
                                                 const thimble_texts* texts, const thimble_tokenize_options* options);

// The texts of lists of ids, as the tokenizer's decoder joins tokens: a JSON array of strings. `skip_special_tokens` is
// 1 or 0. THIMBLE_INVALID_ARGUMENT for an id beyond the vocabulary, THIMBLE_UNSUPPORTED for a mock.
THIMBLE_C_API thimble_job* thimble_pool_decode(thimble_pool* pool, const char* model, const char* dtype,
                                               const thimble_ids* ids, int32_t skip_special_tokens);

// The vocabulary, as a JSON object: entries, an array of the tokens of `ids` (NULL means all), "" for an id without
// one; special_ids, an object with the ids of cls, sep, unk, pad and mask, without those that the model lacks; and
// joining, "wordpiece", "metaspace" or "byte_level". The errors of thimble_pool_decode.
THIMBLE_C_API thimble_job* thimble_pool_vocabulary(thimble_pool* pool, const char* model, const char* dtype,
                                                   const int32_t* ids, size_t count);

// Loads the model. The text is a JSON object as of `thimble info --json` for these options, and effective_max_tokens
// (the limit of the pool) and num_scores (0 unless it is a reranker).
THIMBLE_C_API thimble_job* thimble_pool_describe(thimble_pool* pool, const char* model, const char* dtype,
                                                 const thimble_encode_options* options);

// How many of 100 pairs of unrelated texts are less alike for the model than two whose cosine this is; see
// thimble/receipt.h. The text is a number; empty where nobody knows it: for other than floats, for vectors that are cut
// or pooled in another way than the model's own, for a mock, and for a file from an older converter.
THIMBLE_C_API thimble_job* thimble_pool_percentile(thimble_pool* pool, const char* model, const char* dtype,
                                                   const thimble_encode_options* options, double cosine);

// The memory of a call, before it takes any. The text is a JSON object in bytes and tokens: mapped_bytes, fixed_bytes,
// scratch_bytes_per_thread, threads, peak_bytes, max_tokens, tile_tokens.
THIMBLE_C_API thimble_job* thimble_pool_plan(thimble_pool* pool, const char* model, const char* dtype);

// Waits until nothing uses the model, and unloads it.
THIMBLE_C_API thimble_job* thimble_pool_unload(thimble_pool* pool, const char* model, const char* dtype);

// Loads the model and keeps it, or lets it go again: `pin` is 1 or 0.
THIMBLE_C_API thimble_job* thimble_pool_pin(thimble_pool* pool, const char* model, const char* dtype, int32_t pin);

// A JSON object: max_memory, used_memory, peak_memory, loads, unloads, refusals, cache (hits, misses and writes; not
// without one), and models, an array of objects with name, dtype, mapped_bytes, private_bytes, leases, uses, pinned and
// idle_ms.
THIMBLE_C_API thimble_code thimble_pool_stats(thimble_pool* pool, thimble_text* text);

// Writes the codes of vectors [rows][columns], as of a precision of thimble_encode_options, one behind the other.
// `start` and `end` are the range of int8 and uint8; the others need none.
THIMBLE_C_API thimble_code thimble_quantize(const float* vectors, size_t rows, size_t columns, const char* precision,
                                            float start, float end, void* codes, size_t codes_bytes,
                                            thimble_text* error);

// ---- Backends: a server or a cloud provider, or a chain of them; see thimble/backend.h ----

typedef struct thimble_backend_options {
  size_t struct_size;
  const char* model;     // Of native, or of a dialect without a model in its name.
  const char* dtype;     // Of native.
  const char* base_url;  // For one backend without URL in its name.
  const char* encoding;  // "float" or "base64".
  const char* space;     // Name of the vector space that all backends of a chain share.
  size_t dimensions;     // 0 means the default.
  size_t request_texts;  // Most texts in a request; 0 means 256 or less.
  size_t concurrency;    // Most simultaneous requests; 0 means 4.
  size_t cache_bytes;    // Of a cache of vectors.
  int64_t max_retries;   // Of one request; 0 means 4, below 0 none.
} thimble_backend_options;

// Requests nothing before the first call. THIMBLE_UNSUPPORTED on Windows.
THIMBLE_C_API thimble_code thimble_backend_open(const char* name, const thimble_backend_options* options,
                                                thimble_backend** backend, thimble_text* error);

// Ends all calls and waits for them.
THIMBLE_C_API void thimble_backend_close(thimble_backend* backend);

// The vectors of the texts: thimble_job_vectors. Their length is in the backend's options; `dimensions`, `pooling` and
// `chunk_overlap` here must be zero, and `precision` float32.
THIMBLE_C_API thimble_job* thimble_backend_encode(thimble_backend* backend, const thimble_texts* texts,
                                                  const thimble_encode_options* options, thimble_report* reports);

// The text is a JSON object: name, model, fingerprint, dimensions, max_tokens, prompt_names.
THIMBLE_C_API thimble_job* thimble_backend_describe(thimble_backend* backend);

// ---- Models on this machine, and how they get there ----

typedef struct thimble_pull_options {
  size_t struct_size;
  const char* dtype;     // NULL means "q8".
  const char* revision;  // A branch, a tag or a commit.
  const char* folder;    // As in thimble_pool_options.
  const char* name;      // For a model from a folder.
  const char* pooling;   // For a source that does not state it.
  int32_t normalize;     // A thimble_choice, likewise.
  int32_t force;         // 1 converts it even if it exists.
  int32_t local_files_only;
  int32_t unstated_pooling;  // 1 also converts a source that does not state its pooling; each call must set it.
} thimble_pull_options;

// Downloads and converts a model, or converts a folder. The text is a JSON object: name, dtype, path, bytes,
// organisation, repository, revision, downloaded, notes.
THIMBLE_C_API thimble_job* thimble_pull(const char* model, const thimble_pull_options* options);

typedef struct thimble_convert_options {
  size_t struct_size;
  const char* dtype;
  const char* name;
  const char* known_as;
  const char* pooling;
  const char* calibration_file;
  int32_t normalize;  // A thimble_choice.
  int32_t calibrate;  // A thimble_choice; default yes.
  int32_t unstated_pooling;
  int32_t threads;  // 0 means the processors that the process may use, at most 8.
} thimble_convert_options;

// Converts a folder in the layout of Hugging Face to the file `output`. The text is a JSON object: notes.
THIMBLE_C_API thimble_job* thimble_convert(const char* source, const char* output,
                                           const thimble_convert_options* options);

// Reads the whole file and embeds the texts of its receipt. The text is a JSON object: ok, goldens, weights_match, and
// differences, an array of objects with text and largest (null if it is not a number). `folder` as in
// thimble_pool_options.
THIMBLE_C_API thimble_job* thimble_verify(const char* model, const char* dtype, const char* folder);

// The models on this machine, as a JSON array of objects with name, dtype, path, bytes, organisation, repository,
// revision and used (seconds since 1970).
THIMBLE_C_API thimble_code thimble_models(const char* folder, thimble_text* text);

// Removes a model, of all dtypes if `dtype` is NULL; the text is what it removed, as of thimble_models.
THIMBLE_C_API thimble_code thimble_remove(const char* model, const char* dtype, const char* folder, thimble_text* text);

// The models that thimble knows, as a JSON array; see thimble/known_models.h.
THIMBLE_C_API thimble_code thimble_known_models(thimble_text* text);

// The memory of a process, 0 for this one, in bytes: a JSON object with rss_bytes, pss_bytes, private_bytes,
// peak_rss_bytes and data_bytes.
THIMBLE_C_API thimble_code thimble_memory(int32_t process, thimble_text* text);

#ifdef __cplusplus
}
#endif

#endif  // THIMBLE_THIMBLE_C_H_
