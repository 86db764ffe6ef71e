"""bench/peers/compare.py: its rounds with thimble itself, what becomes of peers that fail, and of those that do not keep to
an instruction set.

THIMBLE_BUILD and THIMBLE_MAKE_TEST_MODEL name the programs. The peers are a script that answers as its name asks for.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

COMPARE = pathlib.Path(__file__).resolve().parents[2] / "bench/peers/compare.py"
sys.path.append(str(COMPARE.parent))
import held

FEATURES = pathlib.Path("/proc/cpuinfo").read_text().split() if os.path.exists("/proc/cpuinfo") else []
BENCH_PEER = pathlib.Path(os.environ["THIMBLE_BUILD"]) / "bench_peer"
WIDTH = 64  # Of the test model.

# Takes the place of the interpreter that would run bench/peers/serve.py PEER THREADS FOLDER.
FAKE = f"""#!{sys.executable}
import array, json, os, sys, time

name, threads = sys.argv[2], int(sys.argv[3])

def answer(value):
    print(json.dumps(value), flush=True)

if name == "OpenVINO int8":
    answer({{"error": "no such processor"}})
    sys.exit(1)
if name == "sentence-transformers fp32" and "ATEN_CPU_CAPABILITY" in os.environ:
    os.environ["THIMBLE_ISA"] = "avx512"
    os.execv("{BENCH_PEER}", ["bench_peer", sys.argv[4] + "/models/all-MiniLM-L6-v2-q8.safetensors", "1"])
facts = "CPUs {{}}, OMP {{}}, hub {{}}".format(
    len(os.sched_getaffinity(0)), os.environ["OMP_NUM_THREADS"], os.environ["HF_HUB_OFFLINE"])
if "ONEDNN_MAX_CPU_ISA" in os.environ:
    facts += ", CT2 " + os.environ["CT2_FORCE_CPU_ISA"] + ", oneDNN " + os.environ["ONEDNN_MAX_CPU_ISA"]
answer({{"version": facts, "ids": name != "fastembed int8", "batches": name != "fastembed int8"}})
for line in sys.stdin:
    request = json.loads(line)
    if request["do"] == "time":
        if name.startswith("OpenVINO bf16"):
            sys.exit(7)
        inputs = request.get("ids") or request["texts"]
        assert name != "fastembed int8" or "ids" not in request
        until = time.monotonic() + request["seconds"]
        while time.monotonic() < until:
            pass
        answer({{"ms": [len(inputs) * 2.0] * request["least"]}})
        continue
    vectors = array.array("f")
    for i in range(len(request["texts"])):
        vectors.extend([1.0] + [float(name == "onnxruntime int8")] + [0.0] * {WIDTH - 2})
    if name == "CTranslate2 int8":
        vectors[5] = float("nan")
    with open(request["file"], "wb") as file:
        vectors.tofile(file)
    answer({{"seconds": 0.1 / request["batch"]}})
"""


class Run(unittest.TestCase):
    OPTIONS = []

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        folder = pathlib.Path(cls.temporary.name)
        subprocess.run([os.environ["THIMBLE_MAKE_TEST_MODEL"], folder], check=True)
        models = folder / "models"
        models.mkdir()
        for dtype in ("q8", "q6", "q4", "fp32"):
            (folder / f"{dtype}.safetensors").rename(models / f"all-MiniLM-L6-v2-{dtype}.safetensors")
        fake = folder / "fake"
        fake.write_text(FAKE)
        fake.chmod(0o755)
        (folder / "prepared.json").write_text('{"hub": "OSError: disk full"}')
        run = subprocess.run(
            [sys.executable, COMPARE, folder / "peers.json", "--quick", "--threads", "1", "--work", folder,
             "--models", models, "--thimble", BENCH_PEER, "--python", fake, "--tokenizer", folder / "source/tokenizer.json",
             *cls.OPTIONS], capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        cls.result = json.loads((folder / "peers.json").read_text())
        cls.run_of_one = cls.result["runs"][0]
        cls.rows = {row["name"]: row for row in cls.run_of_one["rows"]}

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()


class Peers(Run):
    def test_thimble_is_measured_from_text_and_from_ids_in_every_round(self):
        for dtype in ("q8", "q6", "q4", "fp32"):
            row = self.rows[f"thimble {dtype}"]
            self.assertEqual(row["error"], "")
            for kind in ("text", "ids"):
                self.assertEqual(list(row[kind]), ["8", "64", "8x16"])
                for figures in row[kind].values():
                    self.assertEqual(len(figures["rounds"]), 2)
                    self.assertGreater(figures["min"], 0)
                    self.assertLessEqual(figures["min"], min(figures["rounds"]))
            self.assertEqual(len(row["corpus"]["mixed"]["texts_per_s"]), 1)
        self.assertEqual(set(self.run_of_one["tokenizer"]), {"8", "64", "8x16", "corpus"})

    def test_figures_are_what_the_peer_says(self):
        row = self.rows["onnxruntime fp32"]
        self.assertEqual(row["text"]["8"], {"rounds": [2.0, 2.0], "min": 2.0})
        self.assertEqual(row["ids"]["8x16"], {"rounds": [16.0, 16.0], "min": 16.0})
        # The larger of the batch sizes took less time.
        self.assertEqual(row["corpus"]["mixed"]["batch"], 8)
        self.assertAlmostEqual(row["corpus"]["mixed"]["texts_per_s"][0], self.result["corpus"]["texts"] / (0.1 / 8))

    def test_a_peer_has_its_cpus_and_threads_and_no_network(self):
        self.assertEqual(self.rows["onnxruntime fp32"]["version"], "CPUs 1, OMP 1, hub 1")

    def test_a_peer_gets_only_what_it_takes(self):
        row = self.rows["fastembed int8"]
        self.assertEqual((row["error"], row["ids"], row["corpus"]["mixed"]["batch"]), ("", {}, 1))
        self.assertEqual(self.rows["OpenVINO int8, compiled ahead"]["corpus"], {})

    def test_cosines_are_to_the_reference(self):
        self.assertEqual(self.run_of_one["reference"], "sentence-transformers fp32")
        self.assertIsNone(self.rows["sentence-transformers fp32"]["cosine"])
        self.assertAlmostEqual(self.rows["onnxruntime fp32"]["cosine"]["mean"], 1)
        for figure in ("mean", "p1", "min"):
            self.assertAlmostEqual(self.rows["onnxruntime int8"]["cosine"][figure], 0.5**0.5)

    def test_a_peer_that_fails_is_named_with_the_reason(self):
        reasons = {name: row["error"] for name, row in self.rows.items() if row["error"]}
        self.assertEqual(reasons.pop("OpenVINO int8"), "no such processor")
        self.assertEqual(reasons.pop("OpenVINO bf16, its default"), "its process ended with code 7")
        self.assertEqual(reasons.pop("CTranslate2 int8"), "the vector of text 0 is not finite, or zero")
        self.assertEqual(reasons.pop("embed_anything fp32 (candle)"), "its files could not be made: OSError: disk full")
        for name, reason in reasons.items():
            self.assertIn("npm", reason, name)
        self.assertEqual(len(reasons), 6)


@unittest.skipIf("avx2" not in FEATURES, "the machine has no AVX2")
class HeldToAvx2(Run):
    OPTIONS = ["--isa", "avx2", "--only", "thimble", "--only", "CTranslate2", "--only", "sentence", "--only", "onnxruntime int8"]

    def test_thimble_keeps_to_it(self):
        for dtype in ("q8", "q6", "q4", "fp32"):
            row = self.rows[f"thimble {dtype}"]
            self.assertEqual((row["error"], row["version"]), ("", "avx2"))
            self.assertEqual(len(row["text"]["64"]["rounds"]), 2)

    def test_a_peer_is_told_to(self):
        self.assertEqual(self.rows["CTranslate2 int8"]["version"], "CPUs 1, OMP 1, hub 1, CT2 AVX2, oneDNN AVX2")

    @unittest.skipIf("avx512vl" not in FEATURES, "the machine has no AVX-512")
    def test_a_peer_that_does_not_obey_is_an_error(self):
        row = self.rows["sentence-transformers fp32"]
        self.assertRegex(row["error"], r"^it does not keep to avx2: of [\d,]+ instructions .* \(\d+ in bench_peer")
        self.assertEqual((row["text"], row["corpus"]), ({}, {}))

    def test_a_peer_without_a_setting_is_left_out_with_the_reason(self):
        self.assertEqual(self.rows["onnxruntime int8"]["error"], "onnxruntime has no setting for the instruction set")


class Instructions(unittest.TestCase):
    def test_what_avx2_lacks_is_known_by_its_bytes(self):
        for code, lacks in (("62f16d48fec3", True),   # vpaddd zmm
                            ("62f16d28fec3", True),   # vpaddd ymm, EVEX
                            ("c4e27550c2", True),     # {vex} vpdpbusd ymm
                            ("c4627550c2", True),     # the same with a register above 7
                            ("c5f5f5c2", False),      # vpmaddwd ymm
                            ("c4e275b8c2", False),    # vfmadd231ps ymm
                            ("c4e27d58c2", False),    # vpbroadcastd ymm
                            ("c4e17550c2", False),    # of another map
                            ("4889d0", False)):       # mov
            self.assertEqual(bool(held.BEYOND["avx2"].match(bytes.fromhex(code))), lacks, code)

    def test_a_few_instructions_prove_nothing(self):
        watch = held.Watch(os.getpid(), "avx2")
        for _ in range(held.ENOUGH - 1):
            watch.judge(b"\xc5\xf5\xf5\xc2", 0)
        self.assertIn("expected to see 1,000 instructions, saw 999", watch.verdict())
        watch.judge(b"\xc5\xf5\xf5\xc2", 0)
        self.assertEqual(watch.verdict(), "")

    def test_a_peer_that_the_table_does_not_know_is_left_out(self):
        self.assertEqual(held.how("another engine", "avx2"), ({}, "how to hold it to avx2 is not known"))


if __name__ == "__main__":
    unittest.main()
