"""Jobs of thimble embed: formats, resuming after a kill, hostile journals, and memory."""

import csv
import gzip
import hashlib
import io
import json
import os
import pathlib
import random
import resource
import shutil
import signal
import struct
import subprocess
import tempfile
import time
import unittest

import small_models

CLI = os.environ["THIMBLE_CLI"]
SANITIZED = "-fsanitize" in os.environ.get("THIMBLE_CXX_FLAGS", "")
DIMENSIONS = 64
LEFT = (".part", ".journal", ".seen.part", ".ids.jsonl.part")


def setUpModule():
    global folder, model
    folder = small_models.make()
    model = folder / "q8.safetensors"


def command(source, out, *options):
    return [CLI, "embed", "-m", str(model), "-i", str(source), "-o", str(out), *map(str, options)]


def run(source, out, *options, **more):
    return subprocess.run(command(source, out, *options), capture_output=True, timeout=300, **more)


def lines_of(count, seed=1):
    words = random.Random(seed)
    return "".join(" ".join(words.choice("red green blue old new big small tree house river".split())
                            for _ in range(words.randrange(1, 4))) + "\n" for _ in range(count))


def forge(state, job, **changes):
    """A slot of a journal whose hash is right."""
    slot = {**state, "sequence": 1000, **changes}
    slot.pop("check", None)
    text = json.dumps(slot, separators=(",", ":"))[:-1]
    check = hashlib.sha256(job + text.encode()).hexdigest()
    return (text + f',"check":"{check}"}}').encode().ljust(2047) + b"\n"


class Job(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory(dir=folder)
        self.addCleanup(place.cleanup)
        self.where = pathlib.Path(place.name)
        self.out = self.where / "vectors.npy"

    def write(self, name, contents):
        path = self.where / name
        path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
        return path

    def embed(self, source, out, *options, **more):
        result = run(source, out, *options, **more)
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        return pathlib.Path(out).read_bytes()

    def refuse(self, source, out, *options, says=(), code=None, **more):
        result = run(source, out, *options, **more)
        self.assertIn(result.returncode, (1, 2) if code is None else (code,), result.stderr)
        for text in (says,) if isinstance(says, str) else says:
            self.assertIn(text, result.stderr.decode())
        return result.stderr.decode()

    def names(self):
        return sorted(path.name for path in self.where.iterdir())

    def manifest(self, out=None):
        return json.loads(pathlib.Path(f"{out or self.out}.manifest.json").read_text())


class Inputs(Job):
    def test_csv_and_tsv_follow_rfc_4180(self):
        texts = ["plain", 'a "quoted" word', "two\nlines", "comma, tab\tand\r\nbreak", "", "last"]
        for name, dialect in (("a.csv", {"delimiter": ","}), ("a.tsv", {"delimiter": "\t"})):
            for terminator in ("\n", "\r\n"):
                for mark in (b"", b"\xef\xbb\xbf"):
                    text = io.StringIO()
                    writer = csv.writer(text, lineterminator=terminator, **dialect)
                    writer.writerow(["id", "text", "more"])
                    for i, value in enumerate(texts):
                        writer.writerow([f"k{i}", value, "x"])
                    source = self.write(name, mark + text.getvalue().encode())
                    rows = self.embed(source, self.where / "v.jsonl", "--id-field", "id").splitlines()
                    self.assertEqual([json.loads(row)["id"] for row in rows], [f"k{i}" for i in range(len(texts))])
                    lines = self.write("same.jsonl", "".join(json.dumps({"text": t}) + "\n" for t in texts))
                    plain = self.embed(lines, self.where / "w.jsonl").splitlines()
                    self.assertEqual([json.loads(row)["embedding"] for row in rows],
                                     [json.loads(row)["embedding"] for row in plain])
                    self.assertEqual(self.manifest(self.where / "v.jsonl")["empty"], 1)

    def test_the_end_of_the_file_may_lack_its_line_end(self):
        for text in ("text\na\nb", "text\r\na\r\nb\r\n", 'text\n"a"\n"b"', "text,x\na,\nb,"):
            self.embed(self.write("a.csv", text), self.out)
            self.assertEqual(self.manifest()["texts"], 2, text)
        self.embed(self.write("a.csv", "text\n"), self.out)
        self.assertEqual(self.manifest()["shape"], [0, DIMENSIONS])

    def test_errors_name_record_and_line(self):
        head = 'id,text\n1,"two\nlines"\n2,b\n'
        for text, says in ((head + "3\n", ("record 3, line 5", "expected 2 fields", "found 1")),
                           (head + "3,a,b\n", ("record 3, line 5", "found 3")),
                           (head + '3,"a"b\n', ("record 3, line 5", "after the closing quote")),
                           (head + '3,"a\n\n', ("record 3, line 5", "inside quotes")),
                           ("", ("header", "empty")), ("\xff\xfe".encode("latin-1") + b"a\0", ("UTF-16",)),
                           ("id,words\n", ('expected a column "text"', '"words"')),
                           ("text,text\n", ("two columns",))):
            self.refuse(self.write("a.csv", text), self.out, says=says)
            self.assertEqual(self.names(), ["a.csv"])
        for text, says in (('{"text": "a", "id": 1}\n{"text": 1}\n', ("line 2", "expected a string")),
                           ('{"text": "a"}\n', ('no field "id"',)), ('{"text": "a", "id": []}\n', ("line 1", '"id"'))):
            self.refuse(self.write("a.jsonl", text), self.out, "--id-field", "id", says=says)
        self.refuse(self.write("a.txt", "a\n"), self.out, "--id-field", "id", says="lines of text")
        self.refuse(self.write("a.txt", "a\n"), self.out, "--field", "body", says="have no fields")
        self.refuse(self.write("a.json", "[]"), self.out, says=(".jsonl", "jq"))
        self.refuse(self.write("a.txt", "a\n"), self.where / "v.csv", says=("as columns", ".npy"))
        self.refuse(self.write("a.parquet", "PAR1"), self.out, says=("Python", "pyarrow"))
        self.refuse(self.write("a.txt", "a\n"), self.where / "v.arrow", says=("Python", "pyarrow"))

    def test_what_is_no_text_is_refused(self):
        packed = gzip.compress(b"text\na\n")
        for name in ("a.txt", "a.jsonl", "a.csv", "a.csv.gz"):
            for data, says in ((packed, "gzip; unpack"), ("text\na\n".encode("utf-16"), "UTF-16; convert")):
                self.refuse(self.write(name, data), self.out, says=("line 1", "expected UTF-8, found " + says))
        piped = subprocess.run([CLI, "embed", "-m", "mock", "-i", "-"], input=packed, capture_output=True)
        self.assertEqual(piped.returncode, 1)
        self.assertIn("gzip; unpack", piped.stderr.decode())

    def test_what_is_not_utf8_is_refused_by_line_and_byte(self):
        for name, data, says in (
                ("a.txt", b"ok\n\xc3\xa9 caf\xe9\n", ("line 2:", "0xE9 at byte 6", "iconv -f WINDOWS-1252")),
                ("a.csv", b'id,text\n1,"a\nb"\n2,caf\xe9\n', ("record 2, line 4:", "0xE9 at byte 3")),
                ("a.tsv", b"id\ttext\n\xe9\tok\n", ("record 1, line 2: the id:", "0xE9 at byte 0")),
                ("a.jsonl", b'{"id": 1, "text": "a"}\n{"id": 2, "text": "caf\xe9"}\n', ("line 2:", "0xE9"))):
            source = self.write(name, data)
            self.refuse(source, self.out, *(() if name == "a.txt" else ("--id-field", "id")), says=says)
            self.assertEqual(self.names(), [name])
            if name in ("a.txt", "a.jsonl"):
                plain = subprocess.run([CLI, "embed", "-m", "mock", "-i", source], capture_output=True)
                self.assertEqual(plain.returncode, 1)
                for text in says:
                    self.assertIn(text, plain.stderr.decode())
            source.unlink()
        words = subprocess.run([CLI, "embed", "-m", "mock", "ok", b"caf\xe9"], capture_output=True)
        self.assertEqual(words.returncode, 2)
        self.assertIn("text 2 of the arguments: expected UTF-8, found the byte 0xE9 at byte 3", words.stderr.decode())
        # Columns that are not read may have what they like.
        self.embed(self.write("b.csv", b"text,more\na,\xe9\n"), self.out)

    def test_a_byte_order_mark_is_no_text(self):
        for name, data in (("a.txt", b"a\nb\n"), ("a.jsonl", b'"a"\n"b"\n')):
            source = self.write(name, data)
            rows = [self.embed(source, self.out), subprocess.check_output(command(source, "-", "--format", "f32"))]
            self.write(name, b"\xef\xbb\xbf" + data)
            self.assertEqual(rows, [self.embed(source, self.out), subprocess.check_output(command(source, "-", "--format", "f32"))])

    def test_a_missing_folder_is_named_not_the_journal(self):
        found = self.refuse(self.write("a.txt", "a\n"), self.where / "none/v.npy",
                            says=("none/v.npy: its folder does not exist; make it",))
        self.assertNotIn("journal", found)

    def test_names_in_capitals(self):
        self.embed(self.write("A.CSV", "text,x\na,b\n"), self.where / "V.NPY")
        self.assertEqual(self.manifest(self.where / "V.NPY")["shape"], [1, DIMENSIONS])
        self.assertTrue((self.where / "V.NPY").read_bytes().startswith(b"\x93NUMPY"))

    def test_empty_lines_of_json_are_no_records(self):
        data = b'{"text": "a"}\n\n{"text": "b"}\r\n\r\n \n\n'
        for name in ("a.jsonl", "a.ndjson"):
            self.embed(self.write(name, data), self.out)
            self.assertEqual(self.manifest()["texts"], 2)
        plain = subprocess.run([CLI, "embed", "-m", "mock", "-i", self.where / "a.jsonl"], capture_output=True, check=True)
        self.assertEqual(len(plain.stdout.splitlines()), 2)
        self.refuse(self.write("a.jsonl", data + b"{"), self.out, says="line 7")

    def test_a_record_without_an_end_does_not_take_the_memory(self):
        source = self.write("a.csv", b'text\n"' + b"x" * (6 << 20))
        self.refuse(source, self.out, says=("record 1, line 2", "a quote may be open"))

    def test_columns_by_name_and_long_texts(self):
        source = self.write("a.tsv", "n\tbody\n7\t" + "word " * 30000 + "\n")
        self.embed(source, self.out, "--field", "body", "--id-field", "n")
        self.assertEqual((self.where / "vectors.npy.ids.jsonl").read_text(), '"7"\n')
        self.assertEqual(self.manifest()["truncated"], 1)


class Outputs(Job):
    def setUp(self):
        super().setUp()
        self.source = self.write("in.txt", lines_of(300))
        self.f32 = self.embed(self.source, self.where / "v.f32")

    def test_format_is_that_of_the_name(self):
        self.assertEqual(len(self.f32), 300 * 4 * DIMENSIONS)
        array = self.embed(self.source, self.out)
        self.assertEqual(array[128:], self.f32)
        header = eval(array[10:128], {"__builtins__": {}})
        self.assertEqual(header, {"descr": "<f4", "fortran_order": False, "shape": (300, DIMENSIONS)})
        rows = self.embed(self.source, self.where / "v.jsonl").splitlines()
        self.assertEqual(struct.pack(f"<{DIMENSIONS}f", *json.loads(rows[7])["embedding"]),
                         self.f32[7 * 4 * DIMENSIONS:8 * 4 * DIMENSIONS])
        self.assertEqual(self.embed(self.source, self.where / "v.raw"), self.f32)
        self.assertEqual(self.embed(self.source, self.where / "v.bin", "--format", "raw"), self.f32)
        by_pipe = subprocess.run([CLI, "embed", "-m", model, "-i", "-", "--format", "f32"], capture_output=True,
                                 input=self.source.read_bytes(), check=True).stdout
        self.assertEqual(by_pipe, self.f32)

    def test_float16_rounds_as_ieee(self):
        values = struct.unpack(f"<{300 * DIMENSIONS}f", self.f32)
        expected = struct.pack(f"<{len(values)}e", *values)
        array = self.embed(self.source, self.out, "--precision", "float16")
        self.assertIn(b"'<f2'", array[:128])
        self.assertEqual(array[128:], expected)
        rows = self.embed(self.source, self.where / "v.jsonl", "--precision", "float16").splitlines()
        flat = [value for row in rows for value in json.loads(row)["embedding"]]
        self.assertEqual(struct.pack(f"<{len(flat)}e", *flat), expected)

    def test_other_precisions(self):
        for precision, size, descr in (("binary", DIMENSIONS // 8, "|i1"), ("ubinary", DIMENSIONS // 8, "|u1")):
            array = self.embed(self.source, self.out, "--precision", precision)
            self.assertEqual(len(array), 128 + 300 * size)
            self.assertIn(f"'{descr}'".encode(), array[:128])
            self.assertEqual(self.manifest()["shape"], [300, size])

    def test_manifest_is_true(self):
        for name in ("v.npy", "v.jsonl", "v.f32"):
            out = self.where / name
            self.embed(self.source, out)
            manifest = self.manifest(out)
            for part, path in (("input", self.source), ("output", out)):
                data = path.read_bytes()
                self.assertEqual((manifest[part]["bytes"], manifest[part]["sha256"]),
                                 (len(data), hashlib.sha256(data).hexdigest()))
            info = json.loads(subprocess.run([CLI, "info", "--json", model], capture_output=True, check=True).stdout)
            self.assertEqual(manifest["fingerprint"], info["fingerprint"])
            self.assertEqual((manifest["texts"], manifest["truncated"], manifest["empty"]), (300, 0, 0))

    def test_nothing_else_stays(self):
        self.embed(self.source, self.out, "--dedupe")
        self.assertEqual(self.names(), ["in.txt", "v.f32", "v.f32.manifest.json", "vectors.npy", "vectors.npy.manifest.json"])

    def test_dedupe_changes_no_byte(self):
        texts = lines_of(3000, seed=4).splitlines()
        distinct = len(set(texts))
        source = self.write("in.jsonl", "".join(json.dumps({"id": i, "text": t}) + "\n" for i, t in enumerate(texts)))
        for name in ("a.npy", "a.jsonl"):
            plain = self.embed(source, self.where / name, "--id-field", "id")
            self.assertEqual(self.embed(source, self.where / ("d" + name), "--id-field", "id", "--dedupe"), plain)
            manifest = self.manifest(self.where / ("d" + name))
            self.assertEqual(manifest["duplicates"], 3000 - distinct)
            self.assertEqual(manifest["tokens"], self.manifest(self.where / name)["tokens"])

    def test_many_distinct_texts_keep_their_places(self):
        texts = [f"w{i % 7000}" for i in range(16000)]
        source = self.write("in.txt", "\n".join(texts))
        self.assertEqual(self.embed(source, self.where / "a.f32", "--dedupe"), self.embed(source, self.where / "b.f32"))
        self.assertEqual(self.manifest(self.where / "a.f32")["duplicates"], 9000)


class Refusals(Job):
    def test_outputs_that_are_read(self):
        source = self.write("in.txt", "a\n")
        before = source.read_bytes()
        self.refuse(source, source, says="also read", code=2)
        os.link(source, self.where / "v.npy.part")
        self.refuse(source, self.where / "v.npy", says="also read", code=2)
        self.assertEqual(source.read_bytes(), before)

    def test_outputs_that_cannot_be_written(self):
        source = self.write("in.txt", "a\n")
        (self.where / "v.npy").mkdir()
        self.refuse(source, self.where / "v.npy", says="v.npy")
        self.assertEqual(self.names(), ["in.txt", "v.npy"])

    def test_flags_of_jobs_elsewhere(self):
        for flags in (("--resume",), ("--dedupe",), ("--id-field", "x")):
            result = subprocess.run([CLI, "embed", "-m", model, "a", *flags], capture_output=True)
            self.assertEqual(result.returncode, 2)
            self.assertIn(flags[0].encode() + b": only for jobs", result.stderr)

    def test_full_disk_keeps_the_old_output(self):
        source = self.write("in.txt", lines_of(3000))
        self.out.write_text("old")
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000))
        self.refuse(source, self.out, says="File too large", code=1, preexec_fn=limit)
        self.assertEqual((self.out.read_text(), self.names()), ("old", ["in.txt", "vectors.npy"]))


class Interrupted(Job):
    @classmethod
    def setUpClass(cls):
        source, count = pathlib.Path(folder) / "pace.txt", 20_000
        source.write_text(lines_of(count))
        begin = time.monotonic()
        run(source, source.with_suffix(".npy"))
        # About three seconds of embedding, on any machine: there is a checkpoint each second.
        cls.COUNT = int(count * max(1, 3 / (time.monotonic() - begin)))

    def start(self, source, out, *options):
        child = subprocess.Popen(command(source, out, *options), stderr=subprocess.PIPE)
        self.addCleanup(child.stderr.close)
        return child

    def kill_when(self, source, ready, *options, signal_number=signal.SIGKILL):
        """Kills a job as soon as ready(); returns whether it was still running."""
        child = self.start(source, self.out, *options)
        while child.poll() is None and not ready():
            time.sleep(0.005)
        child.send_signal(signal_number)
        return child.wait() != 0

    def written(self):
        try:
            return os.path.getsize(f"{self.out}.part")
        except FileNotFoundError:  # Not begun, or just renamed.
            return 0

    def slots(self):
        try:
            text = pathlib.Path(f"{self.out}.journal").read_bytes()
        except FileNotFoundError:
            return []
        slots = [text[:2048], text[2048:4096]]
        return [json.loads(slot) for slot in slots if slot.strip(b" \n\0")]

    def checkpoint(self):
        try:
            return max(self.slots(), key=lambda slot: slot["sequence"])
        except ValueError:
            return None

    def long_job(self, *options):
        """A job killed after its first checkpoint: its input and what the whole of it gives."""
        source = self.write("in.txt", lines_of(self.COUNT))
        expected = self.embed(source, self.where / "expected.npy", *options)
        self.assertTrue(self.kill_when(source, lambda: self.checkpoint() is not None, *options), "needs a longer job")
        self.assertGreater(self.checkpoint()["texts"], 0)
        return source, expected

    def test_twenty_kills_change_nothing(self):
        texts = lines_of(self.COUNT, seed=2).splitlines()
        source = self.write("in.jsonl", "".join(json.dumps({"id": i, "text": t}) + "\n" for i, t in enumerate(texts)))
        moments = random.Random(3)
        for name, options in (("vectors.npy", ()), ("vectors.jsonl", ("--dedupe",))):
            options = (*options, "--id-field", "id")
            expected = self.embed(source, self.where / ("expected-" + name), *options)
            self.out = self.where / name
            kills = 0
            # By what was written and not by time, so that a faster machine is not done before the first.
            for reached in sorted(moments.randrange(len(expected)) for _ in range(10)):
                kills += self.kill_when(source, lambda: self.written() > reached, "--resume", *options)
                if self.out.exists():  # Killed after the output had its name.
                    self.assertEqual(self.out.read_bytes(), expected)
            self.embed(source, self.out, "--resume", *options)
            self.assertGreater(kills, 0)
            self.assertEqual(self.out.read_bytes(), expected)
            for extra in (".ids.jsonl", ".manifest.json"):
                twin = pathlib.Path(f"{self.where / ('expected-' + name)}{extra}")
                if twin.exists():
                    self.assertEqual(pathlib.Path(f"{self.out}{extra}").read_bytes(),
                                     twin.read_bytes().replace(b"expected-", b""))
            self.assertEqual([left for left in LEFT if pathlib.Path(f"{self.out}{left}").exists()], [])

    def test_resume_takes_what_was_done(self):
        source, expected = self.long_job()
        done = self.checkpoint()["texts"]
        self.refuse(source, self.out, says=("unfinished job", "--resume", str(done)), code=2)
        self.assertEqual(self.embed(source, self.out, "--resume"), expected)

    def test_resume_refuses_another_job_by_name(self):
        source, expected = self.long_job()
        for options, says in ((("--precision", "int8"), "precision"), (("--dimensions", "32"), "dimensions"),
                              (("--max-tokens", "9"), "max_tokens"), (("--dedupe",), "dedupe"), (("--no-normalize",), "normalize"),
                              (("--format", "raw"), "format"), (("--prompt-name", "query"), "prompt_name"),
                              (("--long-texts", "chunk"), "long_texts")):
            error = self.refuse(source, self.out, "--resume", *options, code=None)
            if "cannot resume" in error:
                self.assertIn(says.replace("_", "-"), error.replace("_", "-"))
            else:
                self.assertIn("--", error)  # The model has no such option.
        text = source.read_bytes()
        source.write_bytes(b"x" + text[1:])
        self.refuse(source, self.out, "--resume", says=("cannot resume", "no longer those"), code=2)
        source.write_bytes(text[:100])
        self.refuse(source, self.out, "--resume", says="no longer those", code=2)
        source.write_bytes(text)
        self.assertEqual(self.embed(source, self.out, "--resume"), expected)

    def test_part_and_journal_cut_anywhere(self):
        source, expected = self.long_job()
        saved = self.where / "saved"
        saved.mkdir()
        files = [pathlib.Path(f"{self.out}{name}") for name in (".part", ".journal")]
        for path in files:
            shutil.copy(path, saved)
        good = self.checkpoint()["output"]["bytes"]
        journal = (saved / "vectors.npy.journal").read_bytes()

        def restore():
            for path in files:
                shutil.copy(saved / path.name, path)

        for size in (0, 1, 127, 128, 129, 128 + 4 * DIMENSIONS, good - 1):
            restore()
            os.truncate(files[0], size)
            self.refuse(source, self.out, "--resume", says="expected at least", code=1)
            self.assertTrue(files[1].exists())
        for size in (good, good + 1, good + 4 * DIMENSIONS + 3):
            restore()
            with open(files[0], "ab") as part:
                part.write(b"?" * 10000)
            os.truncate(files[0], size)
            self.assertEqual(self.embed(source, self.out, "--resume"), expected)
        restore()
        with open(files[0], "r+b") as part:
            part.seek(1000)
            part.write(b"\x01\x02")
        self.refuse(source, self.out, "--resume", says="not those that were written", code=1)
        # A journal that ends too early is that of a job that had not begun; one of two slots suffices.
        for size in (0, 1, 2047, 2048, 4095, 4096):
            restore()
            os.truncate(files[1], size)
            self.assertEqual(self.embed(source, self.out, "--resume"), expected)
        restore()
        os.truncate(files[1], len(journal) - 1)
        self.refuse_or_equal(source, expected)
        for place in range(0, 4200, 301):
            restore()
            files[1].write_bytes(journal[:place] + bytes([journal[place] ^ 1]) + journal[place + 1:])
            self.refuse_or_equal(source, expected)

    def refuse_or_equal(self, source, expected):
        result = run(source, self.out, "--resume")
        if result.returncode == 0:
            self.assertEqual(self.out.read_bytes(), expected)
        else:
            self.assertIn(result.returncode, (1, 2), result.stderr)
            self.assertIn(b"journal", result.stderr)

    def test_hostile_journals(self):
        source, expected = self.long_job()
        journal = pathlib.Path(f"{self.out}.journal")
        whole = journal.read_bytes()
        state = self.checkpoint()
        for changes in ({"texts": 2 ** 64 - 1}, {"texts": state["texts"] + 1}, {"texts": 2 ** 63, "empty": 2 ** 63},
                        {"input": {"bytes": 2 ** 64 - 1, "sha256": "a" * 64}}, {"output": {"bytes": 5, "sha256": ""}},
                        {"seen": {"bytes": 32, "sha256": ""}}, {"ids": {"bytes": 1, "sha256": ""}},
                        {"complete": True}, {"input": {"bytes": 10, "sha256": "0" * 64}}):
            journal.write_bytes(forge(state, whole[4096:], **changes) + whole[2048:])
            result = run(source, self.out, "--resume")
            self.assertIn(result.returncode, (1, 2), changes)
            self.assertFalse(self.out.exists() and self.out.read_bytes() != expected, changes)
            if self.out.exists():
                self.out.rename(f"{self.out}.part")
        for text in (b"\0" * 100000, b"[" * 4096 * 4, os.urandom(8000), b" " * 4096 + b"[1]"):
            journal.write_bytes(text)
            self.refuse_or_equal(source, expected)
            self.out.unlink(missing_ok=True)
            self.kill_leftovers()

    def test_rows_of_dedupe_beyond_the_output_are_refused(self):
        source = self.write("in.txt", "".join(f"text {i}\n" for i in range(self.COUNT)))  # Distinct: a long job.
        self.assertTrue(self.kill_when(source, self.checkpoint, "--dedupe"), "needs a longer job")
        seen, journal = pathlib.Path(f"{self.out}.seen.part"), pathlib.Path(f"{self.out}.journal")
        whole, state = journal.read_bytes(), self.checkpoint()
        rows = seen.read_bytes()[:state["seen"]["bytes"]]
        # The last row's bytes begin so far behind the output that their end is counted from 0 again.
        rows = rows[:-16] + struct.pack("<QII", 2 ** 64 - 16, 32, 0)
        seen.write_bytes(rows)
        journal.write_bytes(forge(state, whole[4096:], seen={"bytes": len(rows), "sha256": hashlib.sha256(rows).hexdigest()}) +
                            whole[2048:])
        self.refuse(source, self.out, "--dedupe", "--resume", says="is not one of the output's", code=1)

    def kill_leftovers(self):
        for name in LEFT:
            pathlib.Path(f"{self.out}{name}").unlink(missing_ok=True)

    def test_every_step_of_finishing_can_be_the_last(self):
        source, expected = self.long_job()
        # As if the process had ended between the last checkpoint, the name and the manifest.
        self.embed(source, self.out, "--resume")
        manifest = pathlib.Path(f"{self.out}.manifest.json").read_bytes()
        job = json.dumps(self.manifest()["job"], separators=(",", ":")).encode() + b"\n"
        data = self.out.read_bytes()
        told = self.manifest()
        state = {**{key: told[key] for key in ("texts", "tokens", "truncated", "empty", "duplicates")},
                 "input_lines": self.COUNT, "input": {key: told["input"][key] for key in ("bytes", "sha256")},
                 "output": {"bytes": len(data), "sha256": hashlib.sha256(data[128:]).hexdigest()},
                 "ids": {"bytes": 0, "sha256": ""}, "seen": {"bytes": 0, "sha256": ""}}
        slot = forge(state, job, complete=True)
        journal = pathlib.Path(f"{self.out}.journal")
        for part_is_there, manifest_is_there in ((True, False), (False, False), (False, True)):
            journal.write_bytes(slot + b" " * 2048 + job)
            if part_is_there:
                self.out.rename(f"{self.out}.part")
            if not manifest_is_there:
                pathlib.Path(f"{self.out}.manifest.json").unlink()
            self.assertEqual(self.embed(source, self.out, "--resume"), expected)
            self.assertEqual(pathlib.Path(f"{self.out}.manifest.json").read_bytes(), manifest)
            self.assertFalse(journal.exists())

    def test_one_job_for_an_output(self):
        source = self.write("in.txt", lines_of(self.COUNT))
        first = self.start(source, self.out)
        while not pathlib.Path(f"{self.out}.part").exists() and first.poll() is None:
            time.sleep(0.005)
        self.refuse(source, self.out, says="another process", code=1)
        self.refuse(source, self.out, "--resume", says="another process", code=1)
        self.assertEqual(first.wait(300), 0)
        self.assertEqual(self.manifest()["texts"], self.COUNT)

    def test_an_input_that_changes_is_an_error(self):
        source = self.write("in.txt", lines_of(self.COUNT))
        child = self.start(source, self.out)
        while not pathlib.Path(f"{self.out}.part").exists() and child.poll() is None:
            time.sleep(0.005)
        with open(source, "ab") as file:
            file.write(b"more\n")
        self.assertEqual(child.wait(300), 1)
        self.assertIn(b"while it was read", child.stderr.read())
        self.assertFalse(self.out.exists())

    def test_a_bad_record_late_in_the_input_can_be_mended(self):
        texts = lines_of(self.COUNT).splitlines()
        good = "".join(json.dumps(text) + "\n" for text in texts)
        expected = self.embed(self.write("good.jsonl", good), self.where / "expected.npy")
        source = self.write("in.jsonl", good + "bad\n")
        error = self.refuse(source, self.out, says=f"line {self.COUNT + 1}", code=1)
        self.assertIn("--resume", error)
        source.write_text(good)
        self.assertEqual(self.embed(source, self.out, "--resume"), expected)

    def test_a_signal_early_leaves_nothing(self):
        source = self.write("in.txt", lines_of(self.COUNT))
        self.kill_when(source, lambda: pathlib.Path(f"{self.out}.part").exists(), signal_number=signal.SIGTERM)
        self.assertEqual(self.names(), ["in.txt"])


@unittest.skipIf(SANITIZED, "a sanitizer takes its own memory")
class Memory(Job):
    def test_does_not_grow_with_the_input(self):
        line = ("a long line " * 600)[:6000] + "\n"  # Most of it is truncated, so that 200 MB take seconds.
        large = self.where / "large.txt"
        with open(large, "w") as file:
            for _ in range(35):
                file.write(line * 1000)
        child = subprocess.Popen(command(large, self.out, "--precision", "ubinary"))
        samples = []  # Private memory in KiB.
        while child.poll() is None:
            try:
                rollup = pathlib.Path(f"/proc/{child.pid}/smaps_rollup").read_text()
            except OSError:
                break
            samples.append(int(rollup.split("Anonymous:")[1].split()[0]))
            time.sleep(0.02)
        self.assertEqual(child.wait(), 0)
        self.assertGreater(len(samples), 40)
        self.assertLess(max(samples), max(samples[:len(samples) // 4]) + 1024)


if __name__ == "__main__":
    unittest.main()
