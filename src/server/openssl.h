// OpenSSL 3, loaded when a certificate is given, so that a server without one and the rest of the command line pay
// nothing for it. Declared here as its ABI is, so that building needs no headers of it.

#ifndef THIMBLE_SERVER_OPENSSL_H_
#define THIMBLE_SERVER_OPENSSL_H_

#include <cstddef>
#include <string>

#include "thimble/status.h"

// OpenSSL's types, of which only addresses are used.
struct ssl_ctx_st;
struct ssl_st;
struct bio_st;

namespace thimble::server {

// The functions that are used here, by their names without prefix.
struct OpenSsl {
  const void* (*server_method)();
  ssl_ctx_st* (*ctx_new)(const void* method);
  void (*ctx_free)(ssl_ctx_st*);
  long (*ctx_ctrl)(ssl_ctx_st*, int command, long number, void* pointer);
  void (*ctx_set_password)(ssl_ctx_st*, int (*callback)(char* text, int size, int writing, void* data));
  int (*ctx_use_chain_file)(ssl_ctx_st*, const char* file);
  int (*ctx_use_key_file)(ssl_ctx_st*, const char* file, int type);
  int (*ctx_check_key)(const ssl_ctx_st*);
  ssl_st* (*ssl_new)(ssl_ctx_st*);
  void (*ssl_free)(ssl_st*);
  void (*set_bio)(ssl_st*, bio_st* in, bio_st* out);  // Takes both over.
  void (*set_accept_state)(ssl_st*);
  int (*handshake)(ssl_st*);
  int (*read)(ssl_st*, void* bytes, int count);
  int (*peek)(ssl_st*, void* bytes, int count);
  int (*write)(ssl_st*, const void* bytes, int count);
  int (*shutdown)(ssl_st*);
  int (*get_error)(const ssl_st*, int result);
  bio_st* (*bio_new)(const void* method);
  const void* (*bio_memory)();
  int (*bio_free)(bio_st*);
  int (*bio_read)(bio_st*, void* bytes, int count);
  int (*bio_write)(bio_st*, const void* bytes, int count);
  void (*clear_errors)();
  unsigned long (*last_error)();
  const char* (*reason)(unsigned long error);

  // What the last call of this thread failed for.
  std::string Reason() const;
};

// Loads it once; it stays until the process ends. Thread-safe. kUnsupported when it is not installed.
Result<const OpenSsl*> LoadOpenSsl();

}  // namespace thimble::server

#endif  // THIMBLE_SERVER_OPENSSL_H_
