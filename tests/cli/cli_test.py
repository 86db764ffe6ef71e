"""Runs the command line as its users do. THIMBLE_CLI and THIMBLE_MAKE_TEST_MODEL name the programs."""

import fcntl
import json
import math
import os
import pathlib
import pty
import resource
import select
import shutil
import struct
import subprocess
import termios
import time
import unittest

import small_models

CLI = os.environ["THIMBLE_CLI"]
SANITIZED = "-fsanitize" in os.environ.get("THIMBLE_CXX_FLAGS", "")
DIMENSIONS = 64


def setUpModule():
    global folder, model
    folder = small_models.make()
    model = str(folder / "q8.safetensors")


def run(*arguments, stdin=b"", environment=None):
    return subprocess.run([CLI, *arguments], input=stdin, capture_output=True, timeout=120,
                          env={**os.environ, **(environment or {})})


def embed(*arguments, **options):
    result = run("embed", "-m", model, *arguments, **options)
    assert result.returncode == 0, result.stderr
    assert result.stderr == b"", result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def write(name, contents):
    path = folder / name
    path.write_bytes(contents)
    return str(path)


class Usage(unittest.TestCase):
    def check_wrong_use(self, *arguments, says, **options):
        result = run(*arguments, **options)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertEqual(result.stdout, b"")
        self.assertIn(says.encode(), result.stderr)

    def test_help_teaches_and_succeeds(self):
        for command in ("embed", "tokenize", "similar", "sync", "diff", "info", "verify", "pull", "list", "rm", "convert"):
            result = run(command, "--help")
            self.assertEqual((result.returncode, result.stderr), (0, b""))
            self.assertIn(b"Examples:", result.stdout)
            self.assertIn(b"thimble " + command.encode(), result.stdout)
            self.assertIn(b"Exit codes", result.stdout)
            self.assertIn(command.encode(), run("--help").stdout)
            self.assertEqual(run("help", command).stdout, result.stdout)

    def test_version_is_that_of_the_source(self):
        version = (pathlib.Path(__file__).parents[2] / "VERSION").read_text().strip()
        self.assertEqual(run("--version").stdout.decode(), f"thimble {version}\n")

    def test_wrong_use_exits_2(self):
        self.check_wrong_use(says="Commands")
        self.check_wrong_use("frobnicate", says='unknown command "frobnicate"')
        self.check_wrong_use("embed", "text", says="--model")
        self.check_wrong_use("embed", "-m", model, says="texts or -i")
        self.check_wrong_use("embed", "-m", model, "text", "-i", "-", says="texts or -i")
        self.check_wrong_use("embed", "-m", model, "text", "--frob", says="--frob")
        self.check_wrong_use("embed", "-m", model, "text", "--pooling", "median", says="median")
        self.check_wrong_use("embed", "-m", model, "text", "--format", "xml", says="xml")
        self.check_wrong_use("embed", "-m", model, "text", "--threads", "0", says="--threads")
        self.check_wrong_use("embed", "-m", model, "text", "--max-memory", "8XB",
                             says='--max-memory: expected a size such as 16MB, 1.5MB or 1GiB, found "8XB"')
        self.check_wrong_use("embed", "-m", model, "text", "--max-tokens", "100000", says="--max-tokens: expected at most")
        self.check_wrong_use("embed", "-m", model, "text", "--chunk-overlap", "5", says="without --long-texts chunk")
        self.check_wrong_use("convert", model, "b", says="expected a folder, found a file")
        self.check_wrong_use("convert", "a", "b", "--dtype", "q5", says="q5")
        self.check_wrong_use("convert", "a", "b", "--calibrate", "c", "--no-calibration", says="does not use it")
        self.check_wrong_use("convert", "a", "b", "--calibrate", "c", "--dtype", "fp16", says="fp16")
        self.check_wrong_use("embed", "-m", model, "--dtype", "q4", "text", says="dtype: expected q8, which the file has")
        self.check_wrong_use("similar", "-m", model, "query", says="file")
        self.check_wrong_use("embed", "-m", model, "text", environment={"THIMBLE_ISA": "mmx"}, says="mmx")

    def test_known_models_are_listed(self):
        result = run("pull", "--list")
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        head, *lines = result.stdout.decode("ascii").splitlines()
        self.assertLessEqual(max(map(len, lines)), 120)
        models = json.loads(run("pull", "--list", "--json").stdout)["models"]
        self.assertEqual([line.split()[0] for line in lines[:len(models)]],
                         [model["repository"].split("/")[1] for model in models])
        (one,) = json.loads(run("pull", "--list", "MULTILINGUAL-e5-small", "--json").stdout)["models"]
        self.assertEqual((one["repository"], one["prompts"], one["max_tokens"], one["pooling"], one["licence"]),
                         ("intfloat/multilingual-e5-small", {"query": "query: ", "passage": "passage: "}, 512, "mean", "mit"))
        self.assertEqual(run("pull", "--list", "no such model").returncode, 1)
        self.check_wrong_use("pull", says="MODEL is required")
        self.check_wrong_use("pull", "--list", "--dtype", "q4", says="--dtype excludes --list")

    def test_failures_exit_1_and_say_why(self):
        for arguments, says in (
            (("info", str(folder / "absent")), b"thimble convert"),
            (("embed", "-m", str(folder / "absent"), "text"), b"not found"),
            (("embed", "-m", model, "-i", str(folder / "absent")), b"absent"),
            (("embed", "-m", model, "text", "--max-memory", "1kB"), b"1000"),
            (("embed", "-m", model, "text", "-o", str(folder / "no" / "folder")), b"No such file"),
            (("info", write("noise", os.urandom(1000))), b"noise"),
            (("memory", "--folder", str(folder), "--name", "absent"), b"no model absent-DTYPE.safetensors"),
            (("convert", str(folder / "absent"), str(folder / "out")), b"absent"),
            (("convert", str(folder / "source"), str(folder / "out"), "--calibrate", str(folder / "none")), b"none"),
        ):
            result = run(*arguments)
            self.assertEqual((result.returncode, result.stdout), (1, b""), result.stderr)
            self.assertIn(says, result.stderr)
        self.assertFalse((folder / "out").exists())

    def test_environment_gives_defaults_that_options_override(self):
        self.assertEqual(run("embed", "-m", model, "a", environment={"THIMBLE_MAX_MEMORY": "1kB"}).returncode, 1)
        self.assertEqual(run("embed", "-m", model, "a", environment={"THIMBLE_THREADS": "many"}).returncode, 2)
        self.assertEqual(run("embed", "-m", model, "a", environment={"THIMBLE_MAX_MEMORY": "lots"}).returncode, 2)
        embed("a", "--max-memory", "512MB", environment={"THIMBLE_MAX_MEMORY": "1kB"})
        embed("a", environment={"THIMBLE_MAX_MEMORY": "0.5 GB"})


class Embed(unittest.TestCase):
    def test_writes_unit_vectors_with_tokens(self):
        (result,) = embed("hello")
        self.assertEqual(set(result), {"embedding", "tokens", "truncated"})
        self.assertEqual(len(result["embedding"]), DIMENSIONS)
        self.assertAlmostEqual(math.fsum(x * x for x in result["embedding"]), 1, places=5)
        self.assertIs(result["truncated"], False)

    def test_takes_every_argument_as_one_text(self):
        for text in ("[a, b]", "", " ", "++", "caf\u00e9"):
            (expected,) = embed("-i", write("one.txt", text.encode() + b"\n"))
            self.assertEqual(embed("--", text), [expected], text)
        self.assertEqual(embed("a", "--", "-b", "--"), embed("-i", write("three.txt", b"a\n-b\n--\n")))

    def test_reads_lines_of_files_and_standard_input_alike(self):
        lines = b"first\n\nthird\r\nlast without end"
        expected = embed("first", "", "third", "last without end")
        self.assertEqual(embed("-i", write("lines.txt", lines)), expected)
        self.assertEqual(embed("-i", "-", stdin=lines), expected)
        self.assertEqual(embed("-i", "-", stdin=b""), [])

    def test_reads_json_lines(self):
        path = write("in.jsonl", b'"a \\u00e9"\n{"id": 1, "text": "b", "x": {"text": "no"}}\n{"x": ["c"], "text": "d"}')
        self.assertEqual(embed("-i", path), embed("a \u00e9", "b", "d"))
        path = write("field.jsonl", b'{"text": 5, "title": "x"}\n')
        self.assertEqual(embed("-i", path, "--field", "title"), embed("x"))

    def test_names_the_line_that_is_wrong(self):
        for line, says in ((b"{", b"not valid JSON"), (b'"a" x', b"not valid JSON"),
                           (b"5", b"expected a string or an object, found a number"),
                           (b'["a"]', b"found an array"), (b'{"a": 1}', b'no field "text"'),
                           (b'{"text": ["a"]}', b"found an array"), (b'{"text": null}', b"found null"),
                           (b"[" * 100000, b"found an array"), (b'{"a":' * 100000, b"line 2"),
                           (b'"\xff"', b"expected UTF-8, found the byte 0xFF at byte 1")):
            result = run("embed", "-m", model, "-i", write("bad.jsonl", b'"good"\n' + line + b"\n"))
            self.assertEqual(result.returncode, 1)
            self.assertIn(says, result.stderr)
            self.assertIn(b"line 2: ", result.stderr)

    def test_formats_hold_the_same_numbers(self):
        texts = ("one", "two words", "three of them")
        expected = [struct.pack(f"<{DIMENSIONS}f", *entry["embedding"]) for entry in embed(*texts)]
        path = write("texts.txt", "\n".join(texts).encode())
        raw = run("embed", "-m", model, "-i", path, "--format", "f32").stdout
        self.assertEqual(raw, b"".join(expected))
        array = json.loads(run("embed", "-m", model, "-i", path, "--format", "json").stdout)
        self.assertEqual(array, embed(*texts))
        self.assertEqual(json.loads(run("embed", "-m", model, "-i", os.devnull, "--format", "json").stdout), [])

        out = str(folder / "out.npy")
        self.assertEqual(run("embed", "-m", model, "-i", path, "--format", "npy", "-o", out).returncode, 0)
        self.check_npy(pathlib.Path(out).read_bytes(), raw)
        # The number of arguments is known, so that a pipe will do.
        self.check_npy(run("embed", "-m", model, *texts, "--format", "npy").stdout, raw)
        with open(out, "wb") as file:
            subprocess.run([CLI, "embed", "-m", model, "-i", path, "--format", "npy"], stdout=file, check=True)
        self.check_npy(pathlib.Path(out).read_bytes(), raw)

    def check_npy(self, data, raw):
        self.assertEqual(data[:10], b"\x93NUMPY\x01\x00\x76\x00")
        header = eval(data[10:128], {"__builtins__": {}})
        self.assertEqual(header, {"descr": "<f4", "fortran_order": False, "shape": (3, DIMENSIONS)})
        self.assertEqual(data[128:], raw)

    def test_npy_of_unknown_length_needs_a_file(self):
        result = run("embed", "-m", model, "-i", "-", "--format", "npy", stdin=b"a\n")
        self.assertEqual((result.returncode, result.stdout), (2, b""))
        self.assertIn(b"-o FILE", result.stderr)

    def test_output_file_appears_only_when_complete(self):
        out = folder / "kept.jsonl"
        out.write_bytes(b"before")
        path = write("fails.jsonl", b'"good"\n' * 1000 + b"bad\n")
        self.assertEqual(run("embed", "-m", model, "-i", path, "-o", str(out)).returncode, 1)
        self.assertEqual(out.read_bytes(), b"before")
        self.assertEqual([name for name in os.listdir(folder) if name.startswith("kept.jsonl.")], [])
        self.assertEqual(run("embed", "-m", model, "x", "-o", str(out)).returncode, 0)
        self.assertEqual(json.loads(out.read_bytes()), embed("x")[0])
        mask = os.umask(0)
        os.umask(mask)
        self.assertEqual(os.stat(out).st_mode & 0o777, 0o666 & ~mask)

    def test_options_change_the_vector_as_they_say(self):
        text = "several words make a longer text"
        default = embed(text)[0]["embedding"]
        self.assertEqual(embed(text, "--pooling", "mean", "--normalize")[0]["embedding"], default)
        cls, last = (embed(text, "--pooling", name)[0]["embedding"] for name in ("cls", "last"))
        self.assertNotEqual(cls, default)
        self.assertNotEqual(cls, last)
        plain = embed(text, "--no-normalize")[0]["embedding"]
        length = math.sqrt(math.fsum(x * x for x in plain))
        self.assertNotAlmostEqual(length, 1, places=3)
        for a, b in zip(plain, default):
            self.assertAlmostEqual(a / length, b, places=5)
        cut = embed(text, "--max-tokens", "4")[0]
        self.assertEqual((cut["tokens"], cut["truncated"]), (4, True))
        self.assertEqual(embed(text, "--threads", "2", "--max-memory", "512MB")[0]["embedding"], default)

    def test_dimensions_are_the_first_ones_normalised_again(self):
        text = "several words make a longer text"
        plain = embed(text, "--no-normalize")[0]["embedding"][:13]
        length = math.sqrt(math.fsum(x * x for x in plain))
        cut = embed(text, "--dimensions", "13")[0]["embedding"]
        self.assertEqual(len(cut), 13)
        for a, b in zip(plain, cut):
            self.assertAlmostEqual(a / length, b, places=6)
        self.assertEqual(embed(text, "--dimensions", "13", "--no-normalize")[0]["embedding"], plain)
        self.assertEqual(embed(text, "--dimensions", str(DIMENSIONS)), embed(text))
        self.assertEqual(len(embed(text, "--dimensions", "13", "--long-texts", "chunk", "--max-tokens", "4")[0]["embedding"]), 13)
        for wrong in ("0", "65"):
            result = run("embed", "-m", model, text, "--dimensions", wrong)
            self.assertEqual((result.returncode, result.stdout), (2, b""))
            self.assertIn(b"--dimensions: ", result.stderr)
        ranked = run("similar", "-m", model, "a b", write("two.txt", b"x y\na b\n"), "--dimensions", "13").stdout
        self.assertTrue(ranked.startswith(b"1.0000\t-\ta b\n"), ranked)

    def test_codes_are_those_of_the_range_that_info_states(self):
        text = "several words make a longer text"
        single = lambda value: struct.unpack("f", struct.pack("f", value))[0]
        for dimensions in (13, DIMENSIONS):
            flags = ("--dimensions", str(dimensions))
            vector = embed(text, *flags)[0]["embedding"]
            info = lambda *more: json.loads(run("info", "--json", model, *flags, *more).stdout)
            start, end = (single(info("--precision", "int8")[name]) for name in ("code_start", "code_end"))
            step = single(single(end - start) / 255)
            codes = [min(max(math.floor(single(single(value - start) / step)), 0), 255) for value in vector]
            bits = [sum((value > 0) << (7 - i) for i, value in enumerate(vector[begin:begin + 8]))
                    for begin in range(0, dimensions, 8)]
            fingerprints = {info()["fingerprint"]}
            for precision, element, expected in (("int8", "b", [code - 128 for code in codes]), ("uint8", "B", codes),
                                                 ("binary", "b", [byte - 128 for byte in bits]), ("ubinary", "B", bits)):
                self.assertEqual(embed(text, *flags, "--precision", precision)[0]["embedding"], expected)
                raw = run("embed", "-m", model, text, *flags, "--precision", precision, "--format", "raw").stdout
                self.assertEqual(raw, struct.pack(f"{len(expected)}{element}", *expected))
                npy = run("embed", "-m", model, text, *flags, "--precision", precision, "--format", "npy").stdout
                kind = "|i1" if element == "b" else "|u1"
                self.assertEqual(eval(npy[10:128], {"__builtins__": {}}),
                                 {"descr": kind, "fortran_order": False, "shape": (1, len(expected))})
                self.assertEqual(npy[128:], raw)
                fingerprints.add(info("--precision", precision)["fingerprint"])
            self.assertEqual(len(fingerprints), 5)

    def test_codes_that_would_mean_nothing_are_refused(self):
        for flags, says in ((("--no-normalize",), "--precision int8: only for vectors of unit length"),
                            (("--pooling", "cls"), "--precision int8: only for the pooling of test, mean"),
                            (("--format", "f32"), "--format f32: only for floats")):
            result = run("embed", "-m", model, "x", "--precision", "int8", *flags)
            self.assertEqual((result.returncode, result.stdout), (2, b""))
            self.assertIn(says, result.stderr.decode())
        self.assertEqual(len(embed("x", "--precision", "binary", "--no-normalize", "--pooling", "cls")[0]["embedding"]), 8)

    def test_answers_a_pipe_before_it_ends(self):
        with subprocess.Popen([CLI, "embed", "-m", model, "-i", "-"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as child:
            for text in ("first", "second"):
                child.stdin.write(text.encode() + b"\n")
                child.stdin.flush()
                self.assertTrue(select.select([child.stdout], [], [], 60)[0])
                self.assertEqual(json.loads(child.stdout.readline()), embed(text)[0])
            child.stdin.close()
            self.assertEqual(child.wait(60), 0)

    def test_closed_pipe_and_full_disk_fail_with_a_message(self):
        path = write("many.txt", b"line\n" * 2000)
        read_end, write_end = os.pipe()
        os.close(read_end)
        result = subprocess.run([CLI, "embed", "-m", model, "-i", path], stdout=write_end, stderr=subprocess.PIPE)
        os.close(write_end)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"Broken pipe", result.stderr)
        for arguments in (["embed", "-m", model, "a"], ["tokenize", "-m", model, "a"], ["info", model], ["--version"]):
            with open("/dev/full", "wb") as full:
                result = subprocess.run([CLI, *arguments], stdout=full, stderr=subprocess.PIPE)
            self.assertEqual(result.returncode, 1, arguments)
        result = run("embed", "-m", model, "a", "-o", "/dev/full")
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"No space left", result.stderr)

    def test_huge_line_is_cut_and_said_to_be(self):
        # Spaces are no tokens, so that only the reader's cut can make it truncated.
        spaces = embed("-i", write("spaces.txt", b"word" + b" " * (3 << 20) + b"end\nnext\n"))
        self.assertEqual([entry["truncated"] for entry in spaces], [True, False])
        self.assertEqual(spaces[0]["embedding"], embed("word")[0]["embedding"])
        self.assertEqual(spaces[1], embed("next")[0])
        short = embed("-i", write("short.txt", b"word" + b" " * (1 << 15) + b"\n"))
        self.assertIs(short[0]["truncated"], False)
        result = run("embed", "-m", model, "-i", write("long.jsonl", b'"' + b"a" * (5 << 20) + b'"'))
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"line 1: expected at most", result.stderr)


class Memory(unittest.TestCase):
    def peak(self, path):
        """Kilobytes of its own at the high-water mark, read when the process waits for the rest of its input."""
        with subprocess.Popen([CLI, "tokenize", "-m", model, "-i", "-"], stdin=subprocess.PIPE,
                              stdout=subprocess.DEVNULL) as child:
            with open(path, "rb") as file:
                while block := file.read(1 << 16):
                    child.stdin.write(block)
            child.stdin.flush()
            status, unread = "", b"more"
            while any(unread) or "State:\tS" not in status:
                self.assertIsNone(child.poll(), "ended before its input did")
                time.sleep(0.01)
                unread = fcntl.ioctl(child.stdin, termios.FIONREAD, bytes(4))
                status = pathlib.Path(f"/proc/{child.pid}/status").read_text()
            child.stdin.close()
            self.assertEqual(child.wait(60), 0)
        # How much of the files the system maps along with what is used of them differs from run to run.
        high_water, files = (int(status.split(f"{name}:")[1].split()[0]) for name in ("VmHWM", "RssFile"))
        return high_water - files

    @unittest.skipIf(SANITIZED, "sanitizers keep freed memory")
    def test_does_not_grow_with_the_number_or_the_length_of_lines(self):
        lines = write("lines-1", b"some words in a line\n" * 50000)
        small = self.peak(lines)
        for name, contents in (("lines-100", b"some words in a line\n" * 5000000), ("line-100", b"word " * 20000000)):
            path = write(name, contents)
            grown = self.peak(path) - small
            os.unlink(path)
            # One line may be kept up to 64 KiB, in a string that doubles.
            self.assertLess(grown, 256, name)


class Tokenize(unittest.TestCase):
    def test_prints_ids_with_special_tokens(self):
        result = run("tokenize", "-m", model, "a", "", "--max-tokens", "3")
        self.assertEqual(result.returncode, 0)
        first, second = (json.loads(line) for line in result.stdout.splitlines())
        self.assertEqual(first["tokens"], len(first["ids"]))
        self.assertEqual((first["tokens"], second["tokens"]), (3, 2))
        self.assertEqual([first["ids"][0], first["ids"][2]], second["ids"])
        cut = json.loads(run("tokenize", "-m", model, "a b c", "--max-tokens", "3").stdout)
        self.assertEqual(cut, {**first, "truncated": True})


class PromptsAndLimits(unittest.TestCase):
    def test_a_prompt_gives_the_vector_of_both_texts_as_one(self):
        self.assertEqual(embed("--prompt-name", "query", "a cat", "", "x " * 90),
                         embed("query: a cat", "query: ", "query: " + "x " * 90))
        result = run("tokenize", "-m", model, "--prompt-name", "passage", "a cat")
        self.assertEqual(result.stdout, run("tokenize", "-m", model, "passage: a cat").stdout)

    def test_similar_uses_prompts_on_both_sides_when_asked(self):
        path = write("passages.txt", b"a cat\na dog\nthe sun")
        query = embed("query: a cat")[0]["embedding"]
        for text, asked in (("passage: ", ["--prompts"]), ("", [])):
            side = query if asked else embed("a cat")[0]["embedding"]
            lines = run("similar", "-m", model, "a cat", path, *asked).stdout.decode().splitlines()
            self.assertEqual(len(lines), 3)
            for line in lines:
                cosine, _, line = line.split("\t")
                other = embed(text + line)[0]["embedding"]
                self.assertAlmostEqual(float(cosine), math.fsum(a * b for a, b in zip(side, other)), places=3)

    def test_long_texts_are_truncated_or_refused_or_embedded_in_chunks(self):
        path = write("long.txt", b"short\n" * 300 + b"word " * 100)
        cut = embed("-i", path)[-1]
        self.assertEqual((cut["tokens"], cut["truncated"]), (64, True))
        self.assertNotIn("chunks", cut)
        result = run("embed", "-m", model, "-i", path, "--long-texts", "error")
        self.assertEqual(result.returncode, 2)
        self.assertIn(b"texts[300]: 102 tokens, the limit is 64; set --long-texts to", result.stderr)
        results = embed("-i", path, "--long-texts", "chunk")
        self.assertEqual([(r["tokens"], r["truncated"], r["chunks"]) for r in results[299:]],
                         [(results[0]["tokens"], False, 1), (102, False, 2)])
        self.assertEqual(results[0]["embedding"], embed("short")[0]["embedding"])
        self.assertNotEqual(results[-1]["embedding"], cut["embedding"])
        more = embed("-i", path, "--long-texts", "chunk", "--chunk-overlap", "31")[-1]
        self.assertEqual((more["tokens"], more["chunks"]), (102, 3))
        long_line = write("line.txt", b"! " * 40000)
        result = run("embed", "-m", model, "-i", long_line, "--long-texts", "error")
        self.assertIn(b"texts[0]: ", result.stderr)
        self.assertTrue(embed("-i", long_line, "--long-texts", "chunk")[0]["truncated"], "64 KiB of it were read")

    @unittest.skipIf(SANITIZED, "a process has hundreds of megabytes")
    def test_the_limit_is_that_of_the_profile(self):
        text = "word " * 200
        for profile, tokens in (("sentence-transformers", 64), ("transformers.js", 128), ("tokenizers", 128)):
            self.assertEqual(embed("--truncation", profile, text)[0]["tokens"], tokens)
            ids = json.loads(run("tokenize", "-m", model, "--truncation", profile, text).stdout)
            self.assertEqual(ids["tokens"], tokens)
            self.assertEqual(embed("--truncation", profile, "--max-tokens", "9", text)[0]["tokens"], 9)
        plan = json.loads(run("plan", model, "--json", "--truncation", "transformers.js").stdout)
        self.assertEqual(plan["max_tokens"], 128)

    def test_names_that_there_are_not_are_wrong_use(self):
        for arguments, says in ((["--prompt-name", "document"], b"--prompt-name: test has only passage, query, found"),
                                (["--truncation", "none"], b"expected sentence-transformers, transformers.js or tokenizers"),
                                (["--long-texts", "split"], b"expected truncate, error or chunk"),
                                (["--long-texts", "chunk", "--chunk-overlap", "40"], b"--chunk-overlap: expected at most 31")):
            result = run("embed", "-m", model, "a", *arguments)
            self.assertEqual(result.returncode, 2, arguments)
            self.assertIn(says, result.stderr)

    def test_convert_knows_what_a_folder_of_a_known_name_does_not_say(self):
        source, out = folder / "e5-small-v2", str(folder / "known.safetensors")
        shutil.copytree(folder / "source", source)
        for name in ("modules.json", "sentence_bert_config.json", "config_sentence_transformers.json"):
            os.remove(source / name)

        def info(*arguments):
            self.assertEqual(run("convert", *arguments, out).returncode, 0)
            return json.loads(run("info", "--json", out).stdout)
        known = info(str(source))
        self.assertEqual((known["name"], known["pooling"], known["max_tokens"]), ("e5-small-v2", "mean", 128))
        self.assertEqual((known["prompt.query"], known["prompt.passage"]), ("query: ", "passage: "))
        known = info("--name", "Xenova/bge-small-en-v1.5", str(source))
        self.assertEqual((known["pooling"], known["prompt.query"][:9]), ("cls", "Represent"))
        refused = run("convert", "--name", "mine", str(source), out)
        self.assertEqual(refused.returncode, 1)
        self.assertIn(b"--pooling", refused.stderr)
        unknown = info("--name", "mine", "--pooling", "max", str(source))
        self.assertEqual((unknown["pooling"], unknown["normalize"]), ("max", False))
        self.assertIn("not normalised", unknown["note.0"])
        self.assertNotIn("prompt.query", unknown)
        self.assertTrue(info("--name", "mine", "--pooling", "max", "--normalize", str(source))["normalize"])
        contradicting = run("convert", str(folder / "source"), out, "--pooling", "cls")
        self.assertEqual(contradicting.returncode, 2)
        self.assertIn(b"the folder itself states", contradicting.stderr)
        known = info("--name", "bge-small-en-v1.5", str(folder / "source"))
        self.assertEqual((known["pooling"], known["max_tokens"]), ("mean", 64))


class Similar(unittest.TestCase):
    def test_ranks_as_the_vectors_do(self):
        texts = [f"text number {i} with {'word ' * (i % 7)}" for i in range(600)] + ["exactly this"]
        path = write("corpus.txt", "\n".join(texts).encode())
        query = embed("exactly this")[0]["embedding"]
        vectors = [entry["embedding"] for entry in embed("-i", path)]
        cosines = [math.fsum(a * b for a, b in zip(query, vector)) for vector in vectors]
        result = run("similar", "-m", model, "exactly this", path, "--top", "20")
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        lines = [line.split("\t") for line in result.stdout.decode().splitlines()]
        self.assertEqual((lines[0][0], lines[0][2]), ("1.0000", "exactly this"))
        printed = [float(cosine) for cosine, _, _ in lines]
        self.assertEqual(len(printed), 20)
        for value, expected in zip(printed, sorted(cosines, reverse=True)):
            self.assertAlmostEqual(value, expected, places=3)
        for value, text in zip(printed, (text for _, _, text in lines)):
            self.assertAlmostEqual(value, cosines[texts.index(text)], places=3)

    def test_prints_ten_lines_in_file_order_where_equal(self):
        path = write("equal.jsonl", b'"same"\n' * 300 + b'"a\\nb\\u001b[1m"\n')
        result = run("similar", "-m", model, "same", path)
        self.assertRegex(result.stdout, rb"^(1\.0000\t\d+\.\d\d\tsame\n){10}$")
        result = run("similar", "-m", model, "a b", path, "--top", "301")
        self.assertIn(b"\ta b [1m\n", result.stdout)
        self.assertEqual(len(result.stdout.splitlines()), 301)

    def test_percentiles_are_those_of_the_receipt(self):
        path = write("percentiles.txt", b"a cat\n1 2 3 ? ! zzz qqq\nthe sun sets\n")
        receipt = json.loads(run("info", "--json", model).stdout)
        scale = sorted((float(key.removeprefix("unrelated_p")), value) for key, value in receipt.items()
                       if key.startswith("unrelated_p") and key != "unrelated_pairs")
        self.assertEqual(len(scale), 14)
        lines = [json.loads(line) for line in run("similar", "--json", "-m", model, "a cat", path).stdout.splitlines()]
        self.assertEqual([line["text"] for line in lines][0], "a cat")
        self.assertEqual(sorted(line["index"] for line in lines), [0, 1, 2])
        for line in lines:
            below = max((percent for percent, cosine in scale if cosine <= line["cosine"]), default=0)
            above = min((percent for percent, cosine in scale if cosine > line["cosine"]), default=100)
            self.assertGreaterEqual(line["percentile"], min(below, 100 * receipt["unrelated_pairs"] / (receipt["unrelated_pairs"] + 1)) - 1e-9)
            self.assertLessEqual(line["percentile"], above)
        shown = run("similar", "-m", model, "a cat", path).stdout.decode().splitlines()
        self.assertEqual([line.split("\t")[1] for line in shown], [f"{line['percentile']:.2f}" for line in lines])
        mock = run("similar", "-m", "mock", "a cat", path).stdout.decode().splitlines()
        self.assertEqual({line.split("\t")[1] for line in mock}, {"-"})
        mock = run("similar", "--json", "-m", "mock", "a cat", path).stdout.splitlines()
        self.assertEqual({json.loads(line)["percentile"] for line in mock}, {None})


class Info(unittest.TestCase):
    def test_says_the_same_as_text_and_json(self):
        values = json.loads(run("info", "--json", model).stdout)
        self.assertEqual((values["name"], values["dtype"], values["dimensions"]), ("test", "q8", DIMENSIONS))
        self.assertEqual(values["file_bytes"], os.stat(model).st_size)
        self.assertGreater(values["scratch_bytes"], 0)
        pairs = ("sse41", "avx2", "avx512")
        self.assertEqual(values["fastest_dtype"], "q4" if values["isa"] in pairs else "q8")
        lines = run("info", "-m", model).stdout.decode().splitlines()
        expected = {key: json.dumps(value).strip('"') for key, value in values.items()}
        self.assertEqual(dict(line.split(maxsplit=1) for line in lines), expected)


class Verify(unittest.TestCase):
    def test_a_file_as_converted_holds(self):
        result = run("verify", model)
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        self.assertIn(b"12 of 12 vectors are identical", result.stdout)

    def test_a_flipped_bit_is_found_and_the_text_named(self):
        contents = bytearray(pathlib.Path(model).read_bytes())
        header = json.loads(contents[8:8 + int.from_bytes(contents[:8], "little")])
        data = 8 + int.from_bytes(contents[:8], "little")

        def flipped(tensor):
            copy = bytearray(contents)
            copy[data + header[tensor]["data_offsets"][0]] ^= 1
            return run("verify", write("flipped.safetensors", bytes(copy)))

        result = flipped("embeddings.words.weight")
        self.assertEqual((result.returncode, result.stdout), (1, b""))
        self.assertIn(b"the weights do not match the recorded hash", result.stderr)
        result = flipped("receipt.golden_vectors")
        self.assertEqual((result.returncode, result.stdout), (1, b""))
        self.assertIn(b"1 of 12 vectors differ", result.stderr)
        self.assertIn(b"A small boat drifts", result.stderr)
        self.assertNotIn(b"hash", result.stderr)

    def test_a_mock_has_no_receipt(self):
        result = run("verify", "mock")
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"no receipt: mock is a mock", result.stderr)


class Plan(unittest.TestCase):
    def plan(self, *arguments, **options):
        result = run("plan", model, "--json", *arguments, **options)
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        return json.loads(result.stdout)

    @unittest.skipIf(SANITIZED, "a process has terabytes of address space")
    def test_adds_up(self):
        for threads in (1, 3):
            plan = self.plan("--threads", str(threads), "--max-tokens", "32")
            self.assertEqual(plan["threads"], threads)
            self.assertEqual(plan["max_tokens"], 32)
            self.assertEqual(plan["mapped_bytes"], os.stat(model).st_size)
            self.assertEqual(plan["peak_bytes"], plan["fixed_bytes"] + threads * plan["scratch_bytes_per_thread"])

    @unittest.skipIf(SANITIZED, "a process has hundreds of megabytes")
    def test_keeps_to_the_limit_or_says_what_is_needed(self):
        free = self.plan()
        batches = []
        for share in (95, 86, 84, 70):  # The last without the threads of a job.
            limit = free["peak_bytes"] * share // 100
            tight = self.plan("--max-memory", str(limit))
            self.assertLessEqual(tight["peak_bytes"], limit)
            batches.append(tight["batch_texts"])
        self.assertLess(min(batches), free["batch_texts"])
        self.assertEqual(self.plan(environment={"THIMBLE_MAX_MEMORY": str(limit)})["batch_texts"], tight["batch_texts"])
        for command in (["plan", model], ["embed", "-m", model, "a"], ["similar", "-m", model, "a", model]):
            result = run(*command, "--max-memory", "300kB")
            self.assertEqual(result.returncode, 1)
            self.assertRegex(result.stderr, rb"needs \d+ bytes, but only \d+ are allowed; raise --max-memory, .*300000 bytes, the program.* need \d+")

    @unittest.skipIf(SANITIZED, "a process has hundreds of megabytes")
    def test_a_line_of_json_has_what_the_limit_leaves(self):
        path = write("long.jsonl", json.dumps("word " * 60000).encode())
        self.assertEqual(len(embed("-i", path)), 1)
        limit = str(self.plan()["peak_bytes"])
        result = run("embed", "-m", model, "-i", path, "--max-memory", limit)
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, rb"line 1: expected at most \d{5,6} bytes of JSON; raise --max-memory")


class MemoryCommand(unittest.TestCase):
    def test_measures_every_dtype_that_is_there(self):
        for dtype in ("q8", "fp16"):
            shutil.copy(folder / f"{dtype}.safetensors", folder / f"small-{dtype}.safetensors")
        result = run("memory", "--folder", str(folder), "--name", "small", "--json")
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        rows = {row["dtype"]: row for row in json.loads(result.stdout)["rows"]}
        self.assertEqual(list(rows), ["mock", "q4-small", "q4", "q6", "q8", "fp16", "fp32"])
        for dtype in ("q4-small", "q6", "fp32"):
            self.assertIn(f"small-{dtype}.safetensors: No such file", rows[dtype]["error"])
        for dtype in ("mock", "q8", "fp16"):
            row = rows[dtype]
            self.assertEqual(row["error"], "")
            for stage in ("start", "loaded", "idle", "unloaded"):
                self.assertLessEqual(row[stage]["private"], row["peak"]["private"])
                self.assertLessEqual(row[stage]["pss"], row[stage]["rss"])
            self.assertGreater(row["cold_start_ms"], 0)
            self.assertGreater(row["reload_ms"], 0)
        self.assertLess(rows["q8"]["idle"]["private"], rows["q8"]["peak"]["private"])
        self.assertEqual(rows["q8"]["file_bytes"], os.stat(model).st_size)


class Mocks(unittest.TestCase):
    def test_take_the_place_of_models(self):
        direct = run("embed", "-m", "mock", "hello")
        self.assertEqual((direct.returncode, direct.stderr), (0, b""))
        vector = json.loads(direct.stdout)["embedding"]
        code = sum(map(ord, "hello"))
        self.assertEqual(len(vector), 384)
        for i, value in enumerate(vector):
            self.assertAlmostEqual(value, math.sin(code + i) * 0.1, delta=1e-8)
        for path in (model, "no/such/model.safetensors"):
            forced = run("embed", "-m", path, "hello", environment={"THIMBLE_BACKEND": "mock"})
            self.assertEqual(forced.stdout, direct.stdout)
        result = run("embed", "-m", model, "hello", environment={"THIMBLE_BACKEND": "cloud"})
        self.assertEqual(result.returncode, 2)
        self.assertRegex(result.stderr, rb'expected native, mock, mock-hashed, .*found "cloud"')
        chosen = run("embed", "--backend", "mock", "-m", model, "hello", environment={"THIMBLE_BACKEND": "cloud"})
        self.assertEqual(chosen.stdout, direct.stdout)

    def test_hashed_vectors_rank_by_likeness(self):
        path = write("mock.txt", b"quarterly revenue grew\na cat sat on a mat\nthe weather is fine\n")
        result = run("similar", "-m", "mock-hashed", "the cat sat on the mat", path, "--top", "1")
        self.assertTrue(result.stdout.endswith(b"\ta cat sat on a mat\n"), result.stdout)


class Convert(unittest.TestCase):
    def test_gives_the_same_file_each_time(self):
        for dtype in ("fp32", "fp16", "q8", "q6", "q4", "q4-small"):
            out = folder / f"again-{dtype}"
            result = run("convert", str(folder / "source"), str(out), "--dtype", dtype, "--name", "test",
                         "--no-calibration")
            self.assertEqual((result.returncode, result.stdout, result.stderr), (0, b"", b""))
            self.assertEqual(out.read_bytes(), (folder / f"{dtype}.safetensors").read_bytes())

    def test_calibrates_unless_told_not_to_and_says_on_what(self):
        texts = write("calibration.txt", b"hello world\n")
        for options, says in (([], "built-in texts"), (["--calibrate", texts], "4 tokens of a file"),
                              (["--no-calibration"], "none")):
            out = str(folder / "calibrated")
            result = run("convert", str(folder / "source"), out, *options)
            self.assertEqual((result.returncode, result.stderr), (0, b""))
            self.assertIn(says, json.loads(run("info", "--json", out).stdout)["calibration"])


class Progress(unittest.TestCase):
    def bar(self, path):
        master, slave = pty.openpty()
        with subprocess.Popen([CLI, "embed", "-m", model, "-i", path, "-o", os.devnull], stderr=slave) as child:
            os.close(slave)
            seen = b""
            while True:
                try:
                    block = os.read(master, 4096)
                except OSError:  # The other end is closed.
                    break
                if not block:
                    break
                seen += block
            self.assertEqual(child.wait(), 0)
        os.close(master)
        return seen

    def test_shows_on_a_terminal_for_long_runs_only(self):
        long = write("long.txt", b"some words make a line that takes a moment\n" * (6000 if SANITIZED else 60000))
        seen = self.bar(long)
        self.assertIn(b"%", seen)
        self.assertIn(b"texts", seen)
        self.assertTrue(seen.endswith(b"\r\x1b[K"), seen[-80:])
        self.assertEqual(self.bar(write("brief.txt", b"one\n")), b"")
        result = run("embed", "-m", model, "-i", long, "-o", os.devnull)
        self.assertEqual((result.returncode, result.stderr), (0, b""))


if __name__ == "__main__":
    unittest.main()
