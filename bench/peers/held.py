"""Peers held to an instruction set: how each of them is, and the check that it obeys.

The check does not depend on what a peer says. While it computes, its threads are stopped at random moments, and the
instruction at which each of them is must be one of the set. It needs Linux on x86-64 and the right to trace a child.
"""

import collections
import ctypes
import os
import pathlib
import random
import re

# For every peer: the C library, numpy, and what numpy multiplies with.
COMMON = {
    "avx2": {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW,-AVX512DQ,-AVX512CD",
             "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR", "OPENBLAS_CORETYPE": "Haswell"},
}
# By the beginning of a peer's name: the environment that holds it, or why it is left out.
ONEDNN_AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2"}
ONNXRUNTIME = "onnxruntime has no setting for the instruction set"
HELD = {
    "avx2": {
        "thimble": {"THIMBLE_ISA": "avx2"},
        "CTranslate2": {"CT2_FORCE_CPU_ISA": "AVX2"} | ONEDNN_AVX2,
        "sentence-transformers fp32": {"ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"} | ONEDNN_AVX2,
        "sentence-transformers bf16": "AVX2 has no products of bf16",
        "llama.cpp": {},  # bench/peers/llama.sh avx2 leaves it one library of kernels.
        "embed_anything": {},  # Has no kernels beyond AVX2.
        "OpenVINO": ONEDNN_AVX2,  # Its version 2026.4 obeys in part, which the check finds.
        "onnxruntime": ONNXRUNTIME, "transformers.js": ONNXRUNTIME, "fastembed": ONNXRUNTIME,
    },
}
# First bytes of what the set lacks. AVX2: EVEX, which is AVX-512, and the AVX-VNNI and AMX products with VEX.
BEYOND = {"avx2": re.compile(rb"\x62|\xc4[\x02\x22\x42\x62\x82\xa2\xc2\xe2].[\x50-\x53\x5c\x5e]", re.DOTALL)}
# So many instructions are seen of a peer. Of what a torch that is not held runs with fp32, 1 % are beyond AVX2.
ENOUGH = 1000

SEIZE, INTERRUPT, DETACH, PEEKUSER, RIP, WALL = 0x4206, 0x4207, 17, 3, 16 * 8, 0x40000000


def how(name, isa):
    """(environment that holds a peer to ISA, why nothing does)."""
    if not isa:
        # Of its own choice CTranslate2 takes AVX2 where the processor is not Intel's.
        wide = name.startswith("CTranslate2") and "avx512_vnni" in pathlib.Path("/proc/cpuinfo").read_text()
        return {"CT2_FORCE_CPU_ISA": "AVX512"} if wide else {}, ""
    found = next((value for start, value in HELD[isa].items() if name.startswith(start)),
                 f"how to hold it to {isa} is not known")
    return (found | COMMON[isa], "") if isinstance(found, dict) else ({}, found)


class Watch:
    """Looks at what the threads of a child process run."""

    def __init__(self, pid, isa):
        self.pid, self.isa = pid, isa
        self.seen, self.beyond = 0, collections.Counter()
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.libc.ptrace.restype = ctypes.c_long
        self.libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]

    def look(self):
        """The next instruction of every thread that runs now. Returns when to look again, in seconds."""
        for tid in os.listdir(f"/proc/{self.pid}/task"):
            try:
                self.look_at(int(tid))
            except (FileNotFoundError, ChildProcessError, ProcessLookupError):
                pass  # The thread has ended.
        return random.uniform(0.0002, 0.002)

    def look_at(self, tid):
        with open(f"/proc/{self.pid}/task/{tid}/stat") as file:
            if file.read().rpartition(")")[2].split()[0] != "R":
                return
        self.ptrace(SEIZE, tid)
        try:
            self.ptrace(INTERRUPT, tid)
            os.waitpid(tid, WALL)
            address = self.ptrace(PEEKUSER, tid, RIP)
            with open(f"/proc/{self.pid}/mem", "rb", 0) as memory:
                memory.seek(address)
                self.judge(memory.read(8), address)
        finally:
            self.ptrace(DETACH, tid)

    def ptrace(self, request, tid, address=0):
        ctypes.set_errno(0)
        result = self.libc.ptrace(request, tid, address, None)
        if ctypes.get_errno():
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return result

    def judge(self, code, address):
        self.seen += 1
        if BEYOND[self.isa].match(code):
            self.beyond[self.file(address)] += 1

    def file(self, address):
        with open(f"/proc/{self.pid}/maps") as maps:
            for line in maps:
                fields = line.split(maxsplit=5)
                first, last = (int(part, 16) for part in fields[0].split("-"))
                if first <= address < last and len(fields) > 5:
                    return os.path.basename(fields[5].strip())
        return "generated code"

    def verdict(self):
        """Why the peer does not count as held; empty if it does."""
        if self.beyond:
            where = ", ".join(f"{count} in {name}" for name, count in self.beyond.most_common())
            return (f"it does not keep to {self.isa}: of {self.seen:,} instructions that it was seen at, {self.isa} lacks "
                    f"{sum(self.beyond.values()):,} ({where})")
        if self.seen < ENOUGH:
            return f"whether it keeps to {self.isa} is not known: expected to see {ENOUGH:,} instructions, saw {self.seen:,}"
        return ""
