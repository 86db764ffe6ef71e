"""What include/thimble/thimble_c.h declares, for ctypes."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_char_p, c_double, c_float, c_int, c_int32, c_int64, c_size_t, c_uint64, c_void_p

TYPE_CHECKING = False  # As typing's, which takes longer to import than the rest of the package.
if TYPE_CHECKING:
    from typing import Any, Dict, List, Tuple


class Text(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("size", c_size_t)]


class Texts(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("offsets", c_char_p), ("count", c_size_t)]


class Progress(ctypes.Structure):
    _fields_ = [("stage", c_int32), ("bytes", c_uint64), ("total_bytes", c_uint64), ("share", c_double)]


class Ids(ctypes.Structure):
    _fields_ = [("data", c_char_p), ("offsets", c_char_p), ("count", c_size_t)]


class PoolOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t), ("folder", c_char_p), ("max_memory", c_size_t), ("max_models", c_size_t),
        ("unload_after_ms", c_int64), ("max_wait_ms", c_int64), ("load", c_char_p), ("verify", c_int32),
        ("threads", c_int32), ("call_max_memory", c_size_t), ("max_tokens", c_size_t), ("truncation", c_char_p),
        ("cache", c_char_p), ("cache_bytes", c_uint64),
    ]


class EncodeOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t), ("pooling", c_char_p), ("prompt_name", c_char_p), ("long_texts", c_char_p),
        ("precision", c_char_p), ("dimensions", c_size_t), ("chunk_overlap", c_int64), ("first_index", c_size_t),
        ("normalize", c_int32), ("timeout_ms", c_int32),
    ]


class RankOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t), ("prompt_name", c_char_p), ("long_texts", c_char_p), ("first_index", c_size_t),
        ("raw_scores", c_int32),
    ]


class TokenizeOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t), ("prompt_name", c_char_p), ("truncate", c_int32), ("special_tokens", c_int32),
        ("max_tokens", c_size_t),
    ]


class BackendOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t), ("model", c_char_p), ("dtype", c_char_p), ("base_url", c_char_p),
        ("encoding", c_char_p), ("space", c_char_p), ("dimensions", c_size_t), ("request_texts", c_size_t),
        ("concurrency", c_size_t), ("cache_bytes", c_size_t), ("max_retries", c_int64),
    ]


class PullOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t), ("dtype", c_char_p), ("revision", c_char_p), ("folder", c_char_p),
        ("name", c_char_p), ("pooling", c_char_p), ("normalize", c_int32), ("force", c_int32),
        ("local_files_only", c_int32), ("unstated_pooling", c_int32),
    ]


class ConvertOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t), ("dtype", c_char_p), ("name", c_char_p), ("known_as", c_char_p),
        ("pooling", c_char_p), ("calibration_file", c_char_p), ("normalize", c_int32), ("calibrate", c_int32),
        ("unstated_pooling", c_int32), ("threads", c_int32),
    ]


_TEXTS, _TEXT = POINTER(Texts), POINTER(Text)
_JOB = c_void_p
# Each function with what it returns and takes.
FUNCTIONS: Dict[str, Tuple[Any, List[Any]]] = {
    "thimble_version": (c_char_p, []),
    "thimble_text_free": (None, [_TEXT]),
    "thimble_main": (c_int, [c_int, c_void_p, c_void_p]),
    "thimble_job_wait": (c_int, [_JOB, c_int64]),
    "thimble_job_cancel": (None, [_JOB]),
    "thimble_job_result": (c_int, [_JOB, _TEXT]),
    "thimble_job_progress": (None, [_JOB, POINTER(Progress)]),
    "thimble_job_vectors": (c_void_p, [_JOB, POINTER(c_size_t), POINTER(c_size_t)]),
    "thimble_job_ids": (c_void_p, [_JOB, POINTER(c_void_p), POINTER(c_size_t)]),
    "thimble_job_free": (None, [_JOB]),
    "thimble_pool_open": (c_int, [POINTER(PoolOptions), POINTER(c_void_p), _TEXT]),
    "thimble_pool_close": (None, [c_void_p]),
    "thimble_pool_encode": (_JOB, [c_void_p, c_char_p, c_char_p, _TEXTS, POINTER(EncodeOptions), c_void_p, c_size_t,
                                   c_void_p]),
    "thimble_pool_encode_tokens": (_JOB, [c_void_p, c_char_p, c_char_p, _TEXTS]),
    "thimble_pool_rank": (_JOB, [c_void_p, c_char_p, c_char_p, _TEXTS, _TEXTS, POINTER(RankOptions), c_void_p,
                                 c_size_t]),
    "thimble_pool_tokenize": (_JOB, [c_void_p, c_char_p, c_char_p, _TEXTS, POINTER(TokenizeOptions)]),
    "thimble_pool_decode": (_JOB, [c_void_p, c_char_p, c_char_p, POINTER(Ids), c_int32]),
    "thimble_pool_vocabulary": (_JOB, [c_void_p, c_char_p, c_char_p, c_void_p, c_size_t]),
    "thimble_pool_describe": (_JOB, [c_void_p, c_char_p, c_char_p, POINTER(EncodeOptions)]),
    "thimble_pool_percentile": (_JOB, [c_void_p, c_char_p, c_char_p, POINTER(EncodeOptions), c_double]),
    "thimble_pool_plan": (_JOB, [c_void_p, c_char_p, c_char_p]),
    "thimble_pool_unload": (_JOB, [c_void_p, c_char_p, c_char_p]),
    "thimble_pool_pin": (_JOB, [c_void_p, c_char_p, c_char_p, c_int32]),
    "thimble_pool_stats": (c_int, [c_void_p, _TEXT]),
    "thimble_quantize": (c_int, [c_void_p, c_size_t, c_size_t, c_char_p, c_float, c_float, c_void_p, c_size_t, _TEXT]),
    "thimble_backend_open": (c_int, [c_char_p, POINTER(BackendOptions), POINTER(c_void_p), _TEXT]),
    "thimble_backend_close": (None, [c_void_p]),
    "thimble_backend_encode": (_JOB, [c_void_p, _TEXTS, POINTER(EncodeOptions), c_void_p]),
    "thimble_backend_describe": (_JOB, [c_void_p]),
    "thimble_pull": (_JOB, [c_char_p, POINTER(PullOptions)]),
    "thimble_convert": (_JOB, [c_char_p, c_char_p, POINTER(ConvertOptions)]),
    "thimble_verify": (_JOB, [c_char_p, c_char_p, c_char_p]),
    "thimble_models": (c_int, [c_char_p, _TEXT]),
    "thimble_remove": (c_int, [c_char_p, c_char_p, c_char_p, _TEXT]),
    "thimble_known_models": (c_int, [_TEXT]),
    "thimble_memory": (c_int, [c_int32, _TEXT]),
}
