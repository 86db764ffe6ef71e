// libcurl, loaded when it is first needed: linked, its thirty libraries would slow every start of the command line.

#ifndef THIMBLE_NET_CURL_LIBRARY_H_
#define THIMBLE_NET_CURL_LIBRARY_H_

#ifndef CURL_DISABLE_DEPRECATION
#define CURL_DISABLE_DEPRECATION  // Older libraries lack what newer ones have instead.
#endif
#include <curl/curl.h>

#include "thimble/status.h"

namespace thimble::net {

// The functions of libcurl that are used here, without their prefix.
#define THIMBLE_CURL_FUNCTIONS(F)                                                                            \
  F(global_init)                                                                                             \
  F(easy_init) F(easy_setopt) F(easy_perform) F(easy_getinfo) F(easy_reset) F(easy_cleanup) F(easy_strerror) \
      F(slist_append) F(slist_free_all)

struct CurlLibrary {
#define THIMBLE_DECLARE_FUNCTION(name) decltype(&::curl_##name) name = nullptr;
  THIMBLE_CURL_FUNCTIONS(THIMBLE_DECLARE_FUNCTION)
#undef THIMBLE_DECLARE_FUNCTION
};

// Loads it once; it stays until the process ends. Thread-safe. kUnsupported when it is not installed.
Result<const CurlLibrary*> LoadCurl();

}  // namespace thimble::net

#endif  // THIMBLE_NET_CURL_LIBRARY_H_
