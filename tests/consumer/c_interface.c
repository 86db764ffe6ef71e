// Embeds a text through the C interface, and checks what it does with wrong arguments: c_consumer MODEL TEXT

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <thimble/thimble_c.h>

static thimble_text text;

static void Expect(int condition, const char* what) {
  if (condition) return;
  fprintf(stderr, "%s: %s\n", what, text.data == NULL ? "" : text.data);
  exit(1);
}

// The code of a job, which ends here; its text is then in `text`.
static thimble_code End(thimble_job* job) {
  Expect(thimble_job_wait(job, -1) == 1, "wait");
  const thimble_code code = thimble_job_result(job, &text);
  thimble_job_free(job);
  return code;
}

int main(int argc, char** argv) {
  Expect(argc == 3, "c_consumer MODEL TEXT");
  thimble_pool* pool = NULL;
  thimble_pool_options options = {0};
  options.struct_size = sizeof options;
  options.threads = 2;
  Expect(thimble_pool_open(&options, &pool, &text) == THIMBLE_OK, "open");

  Expect(End(thimble_pool_describe(pool, argv[1], NULL, NULL)) == THIMBLE_OK, "describe");
  const char* found = strstr(text.data, "\"dimensions\":");
  Expect(found != NULL, "dimensions");
  const size_t dimensions = (size_t)strtoul(strchr(found, ':') + 1, NULL, 10);

  const uint64_t offsets[] = {0, strlen(argv[2])};
  const thimble_texts texts = {argv[2], offsets, 1};
  float* vector = malloc(dimensions * sizeof(float));
  thimble_report report;
  Expect(End(thimble_pool_encode(pool, argv[1], NULL, &texts, NULL, vector, dimensions * sizeof(float), &report)) ==
             THIMBLE_OK,
         "encode");
  Expect(report.tokens > 0 && report.truncated == 0 && report.chunks == 1, "report");
  printf("%zu %.9g\n", dimensions, (double)vector[0]);

  Expect(End(thimble_pool_encode(pool, argv[1], NULL, &texts, NULL, vector, 1, NULL)) == THIMBLE_INVALID_ARGUMENT,
         "a wrong size");
  Expect(strstr(text.data, "found 1") != NULL, "its message");
  const uint64_t descending[] = {3, 0};
  const thimble_texts wrong = {argv[2], descending, 1};
  Expect(End(thimble_pool_encode(pool, argv[1], NULL, &wrong, NULL, vector, 1, NULL)) == THIMBLE_INVALID_ARGUMENT,
         "descending offsets");
  const thimble_ids lists = {NULL, descending, 1};
  Expect(End(thimble_pool_decode(pool, argv[1], NULL, &lists, 0)) == THIMBLE_INVALID_ARGUMENT, "descending lists");
  const int has_words = strcmp(argv[1], "mock") != 0;
  const thimble_code of_words = has_words ? THIMBLE_OK : THIMBLE_UNSUPPORTED;
  const uint64_t empty[] = {0, 0};
  const thimble_ids nothing = {NULL, empty, 1};
  Expect(End(thimble_pool_decode(pool, argv[1], NULL, &nothing, 0)) == of_words, "decode");
  Expect(!has_words || strcmp(text.data, "[\"\"]") == 0, "the text of no ids");
  const int32_t beyond = INT32_MAX;
  Expect(End(thimble_pool_vocabulary(pool, argv[1], NULL, &beyond, 1)) ==
             (has_words ? THIMBLE_INVALID_ARGUMENT : of_words),
         "no such id");
  Expect(End(thimble_pool_vocabulary(pool, argv[1], NULL, &beyond, 0)) == of_words, "vocabulary");
  Expect(!has_words || strstr(text.data, "\"special_ids\":{") != NULL, "special ids");
  Expect(End(thimble_pool_percentile(pool, argv[1], "q5", NULL, 1)) == THIMBLE_INVALID_ARGUMENT, "a dtype");
  Expect(End(thimble_pool_percentile(pool, argv[1], NULL, NULL, 2)) == THIMBLE_OK, "percentile");
  Expect(has_words ? strtod(text.data, NULL) > 99 : text.size == 0, "all are less alike");
  Expect(End(thimble_pool_describe(pool, "./none.safetensors", NULL, NULL)) == THIMBLE_NOT_FOUND, "no model");
  Expect(End(thimble_pool_describe(pool, NULL, NULL, NULL)) == THIMBLE_INVALID_ARGUMENT, "no name");
  Expect(End(NULL) == THIMBLE_OUT_OF_MEMORY, "no job");

  // A newer program: what this library does not know is an error unless it is zero.
  struct {
    thimble_pool_options known;
    uint64_t newer;
  } later = {options, 0};
  later.known.struct_size = sizeof later;
  thimble_pool* other = NULL;
  Expect(thimble_pool_open(&later.known, &other, &text) == THIMBLE_OK, "a newer struct");
  thimble_pool_close(other);
  later.newer = 1;
  Expect(thimble_pool_open(&later.known, &other, &text) == THIMBLE_INVALID_ARGUMENT && other == NULL, "a newer option");
  // An older one: what it does not know is the default.
  later.known.struct_size = offsetof(thimble_pool_options, threads);
  Expect(thimble_pool_open(&later.known, &other, &text) == THIMBLE_OK, "an older struct");
  thimble_pool_close(other);

  Expect(thimble_pool_stats(pool, &text) == THIMBLE_OK && text.data[0] == '{', "stats");
  Expect(thimble_pool_stats(NULL, &text) == THIMBLE_INVALID_ARGUMENT && strstr(text.data, "pool") != NULL,
         "stats of no pool");
  thimble_pool_close(pool);
  thimble_text_free(&text);
  Expect(text.data == NULL && text.size == 0, "free");
  free(vector);
  return 0;
}
