// libcurl, loaded when it is first needed: linked, its thirty libraries would slow every start of the command line.

#ifndef THIMBLE_NET_CURL_LIBRARY_H_
#define THIMBLE_NET_CURL_LIBRARY_H_

#ifndef CURL_DISABLE_DEPRECATION
#define CURL_DISABLE_DEPRECATION  // Older libraries lack what newer ones have instead.
#endif
#include <curl/curl.h>

#include "thimble/status.h"

namespace thimble::net {

// The functions of libcurl that are used here.
struct CurlLibrary {
  decltype(&::curl_global_init) global_init;
  decltype(&::curl_easy_init) easy_init;
  decltype(&::curl_easy_setopt) easy_setopt;
  decltype(&::curl_easy_perform) easy_perform;
  decltype(&::curl_easy_getinfo) easy_getinfo;
  decltype(&::curl_easy_reset) easy_reset;
  decltype(&::curl_easy_cleanup) easy_cleanup;
  decltype(&::curl_easy_strerror) easy_strerror;
  decltype(&::curl_slist_append) slist_append;
  decltype(&::curl_slist_free_all) slist_free_all;
};

// Loads it once; it stays until the process ends. Thread-safe. kUnsupported when it is not installed.
Result<const CurlLibrary*> LoadCurl();

}  // namespace thimble::net

#endif  // THIMBLE_NET_CURL_LIBRARY_H_
