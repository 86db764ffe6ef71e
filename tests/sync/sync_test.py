"""thimble sync and similar --store as their users run them. THIMBLE_CLI and THIMBLE_MAKE_TEST_MODEL name the programs."""

import json
import os
import pathlib
import random
import re
import resource
import shlex
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
import unittest

import small_models

CLI = os.environ["THIMBLE_CLI"]
ROOT = pathlib.Path(__file__).resolve().parents[2]
SANITIZED = "-fsanitize" in os.environ.get("THIMBLE_CXX_FLAGS", "")
WORDS = "river asia garden water stone light summer paper engine number letter question answer music train".split()


def setUpModule():
    global models
    models = small_models.make()


def run(*arguments, **options):
    return subprocess.run([CLI, *map(str, arguments)], capture_output=True, timeout=300, **options)


def prose(source, sentences):
    lines = []
    for i in range(sentences):
        words = " ".join(source.choice(WORDS) for _ in range(source.randrange(4, 12)))
        lines.append(words.capitalize() + "." + ("\n\n" if source.random() < 0.2 else " "))
        if source.random() < 0.08:
            lines.append(f"\n\n## {words[:20]}\n\n")
    return "".join(lines)


def contents(store):
    """What a store holds, whatever the order in which it came."""
    with sqlite3.connect(store) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        return (database.execute("SELECT path, size, sha256 FROM files ORDER BY path").fetchall(),
                database.execute("SELECT path, ordinal, first_byte, last_byte, first_line, last_line, heading, hash "
                                 "FROM chunks JOIN files ON files.id = file JOIN texts ON texts.id = chunks.text "
                                 "ORDER BY path, ordinal").fetchall(),
                database.execute("SELECT hash, text, tokens, vector FROM texts ORDER BY hash").fetchall(),
                database.execute("SELECT * FROM loose").fetchall())


class Case(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(dir=models))
        self.addCleanup(shutil.rmtree, self.root)
        self.docs, self.store = self.root / "docs", self.root / "docs.store"
        self.docs.mkdir()

    def write(self, name, text):
        path = self.docs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def sync(self, *arguments, model="q8", store=None):
        result = run("sync", "-m", models / f"{model}.safetensors", "--json", self.docs, store or self.store, *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout)

    def refused(self, *arguments, says, code=None, **options):
        result = run(*arguments, **options)
        self.assertIn(result.returncode, (1, 2) if code is None else (code,), result.stderr)
        for words in [says] if isinstance(says, str) else says:
            self.assertIn(words, result.stderr.decode())

    def similar(self, query, *arguments):
        result = run("similar", "--store", self.store, "--json", query, *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return [json.loads(line) for line in result.stdout.splitlines()]


class Sync(Case):
    def test_embeds_what_changed_and_says_so(self):
        source = random.Random(1)
        for i in range(6):
            self.write(f"part{i % 2}/file{i}.md", prose(source, 60))
        first = self.sync()
        self.assertEqual((first["files_added"], first["files_unchanged"]), (6, 0))
        self.assertGreater(first["texts_embedded"], 30)
        self.assertEqual(first["texts_truncated"], 0)
        self.assertEqual(first["chunks_added"], len(contents(self.store)[1]))
        self.assertFalse(self.store.with_name("docs.store-wal").exists())
        self.assertFalse(self.store.with_name("docs.store.lock").exists())

        again = self.sync()
        self.assertEqual((again["files_unchanged"], again["texts_embedded"]), (6, 0))
        self.assertEqual(again["chunks_unchanged"], first["chunks_added"])

        path = self.docs / "part0/file2.md"
        text = path.read_text()
        path.write_text(text[:len(text) // 2] + " A new sentence. " + text[len(text) // 2:])
        edited = self.sync()
        self.assertEqual((edited["files_changed"], edited["files_unchanged"]), (1, 5))
        self.assertLessEqual(edited["texts_embedded"], 4)
        self.assertGreaterEqual(edited["texts_embedded"], 1)

        path.rename(self.docs / "renamed.md")
        os.rename(self.docs / "part1", self.docs / "moved")
        renamed = self.sync()
        self.assertEqual((renamed["files_added"], renamed["files_removed"], renamed["texts_embedded"]), (4, 4, 0))

        (self.docs / "renamed.md").unlink()
        self.assertEqual(self.sync()["files_removed"], 1)
        fresh = self.root / "fresh.store"
        self.sync(store=fresh)
        self.assertEqual(contents(self.store), contents(fresh))

    def test_vectors_are_those_of_embed(self):
        self.write("a.txt", prose(random.Random(2), 30))
        self.sync()
        texts = contents(self.store)[2]
        lines = self.root / "lines.jsonl"
        lines.write_text("".join(json.dumps(text) + "\n" for _, text, _, _ in texts))
        raw = run("embed", "-m", models / "q8.safetensors", "-i", lines, "--format", "f32").stdout
        self.assertEqual(b"".join(vector for _, _, _, vector in texts), raw)

    def test_dry_run_says_the_same_and_writes_nothing(self):
        self.write("a.md", prose(random.Random(3), 40))
        planned = self.sync("--dry-run")
        self.assertFalse(self.store.exists())
        done = self.sync()
        self.write("b.md", "One more.")
        before = self.store.read_bytes()
        later = self.sync("--dry-run")
        self.assertEqual(before, self.store.read_bytes())
        self.assertEqual(later["texts_embedded"], 1)
        for report in (planned, done):
            del report["dry_run"]
        self.assertEqual(planned, done)

    def test_takes_documents_and_lists_what_it_skips(self):
        self.write("good.TXT", b"\xef\xbb\xbfText with a mark.")
        self.write("empty.txt", "")
        self.write(".hidden/a.md", "no")
        self.write(".hidden.md", "no")
        self.write("page.html", "<p>no</p>")
        self.write("vendor/a.md", "no")
        self.write("draft1.md", "no")
        self.write("binary.txt", b"a\0b")
        self.write("latin.txt", b"caf\xe9")
        self.write("huge.txt", b"word " * (17 << 20 >> 2))
        os.symlink("good.TXT", self.docs / "link.txt")
        os.symlink(".", self.docs / "loop")
        os.symlink("nowhere", self.docs / "broken.md")
        os.mkfifo(self.docs / "pipe.txt")
        result = run("sync", "-m", models / "q8.safetensors", "--exclude", "vendor", "--exclude", "draft*", self.docs,
                     self.store)
        self.assertEqual(result.returncode, 0, result.stderr)
        errors = result.stderr.decode()
        for line in ("binary.txt: binary", "latin.txt: not UTF-8 at byte 3", "huge.txt: has more than 16 MiB",
                     "broken.md: a symbolic link", "pipe.txt: no regular file"):
            self.assertIn(line, errors)
        self.assertIn("files: 3 new, 0 changed, 0 unchanged, 0 removed, 5 skipped", result.stdout.decode())
        files, chunks, texts, _ = contents(self.store)
        self.assertEqual([path for path, _, _ in files], ["empty.txt", "good.TXT", "link.txt"])
        self.assertEqual([text for _, text, _, _ in texts], ["Text with a mark."])
        self.assertEqual([chunk[2] for chunk in chunks], [3, 3])

    def test_keeps_what_cannot_be_read(self):
        self.write("a.txt", "Some text.")
        self.write("part/b.txt", "More text.")
        self.sync()
        self.docs.joinpath("a.txt").chmod(0)
        self.docs.joinpath("part").chmod(0)
        demote = None
        if os.geteuid() == 0:  # Who reads everything.
            for path in (models, self.root):
                path.chmod(0o777)
            self.store.chmod(0o666)

            def demote():
                os.setuid(65534)
            if subprocess.run(["test", "-x", CLI], preexec_fn=demote).returncode:
                self.skipTest("another user cannot run the program")
        self.refused("sync", "-m", models / "q8.safetensors", self.docs, self.store,
                     says=["a.txt", "part/: cannot be listed", "2 of the files or folders could not be read"], code=1,
                     preexec_fn=demote)
        self.docs.joinpath("part").chmod(0o755)
        self.assertEqual(len(contents(self.store)[1]), 2)

    def test_refuses_another_space_by_name(self):
        self.write("a.txt", "Some text.")
        self.sync()
        model = models / "q8.safetensors"
        sync = ("sync", "-m", model, self.docs, self.store)
        self.refused("sync", "-m", models / "q4.safetensors", self.docs, self.store,
                     says=["was made with the model", "q8", "q4", "--rebuild"])
        self.refused(*sync, "--max-tokens", "32", says="--max-tokens 64, found 32")
        self.refused(*sync, "--prompts", says='"passage: "')
        self.refused(*sync, "--dimensions", "16", says="fingerprint")
        self.refused(*sync, "--max-tokens", "3", "--prompts", says="--max-tokens: expected at least")
        self.refused("similar", "--store", self.store, "-m", models / "q4.safetensors", "text", says="q4")
        self.refused("similar", "--store", self.store, "text", "--dimensions", "8", says="--dimensions", code=2)
        self.refused("sync", "-m", "mock", self.docs, self.store, says="fingerprint")
        self.refused("sync", "-m", model, self.root / "none", self.store, says="no such folder")
        self.assertEqual(self.sync("--rebuild", model="q4")["texts_embedded"], 1)
        self.assertEqual(self.sync("--rebuild", "--prompts", "--dimensions", "16")["texts_embedded"], 1)
        self.assertEqual(len(self.similar("text")), 1)

    def test_without_a_model_the_store_knows_what_made_it(self):
        self.write("a.txt", "Some text.")
        path = self.root / "model.safetensors"
        shutil.copy(models / "q8.safetensors", path)
        sync = ("sync", self.docs, self.store)
        self.refused(*sync, says=["docs.store: there is no store", "-m MODEL"])
        options = ("--prompts", "--dimensions", "16", "--max-tokens", "40")
        made = run("sync", "-m", "model.safetensors", *options, self.docs, self.store, cwd=self.root)
        self.assertEqual(made.returncode, 0, made.stderr)
        self.write("b.txt", "Another text.")
        for more, embedded in ((), 1), (("--rebuild",), 2):
            again = run(*sync, "--json", *more)
            self.assertEqual(again.returncode, 0, again.stderr)
            self.assertEqual(json.loads(again.stdout)["texts_embedded"], embedded)
        self.refused(*sync, "--dimensions", "8", says="fingerprint")
        shutil.copy(models / "q4.safetensors", path)
        self.refused(*sync, says=["was made with the model", "fingerprint"])
        self.refused("similar", "--store", self.store, "text", says=["was made with the model", "fingerprint"])
        path.unlink()
        for command in (sync, ("similar", "--store", self.store, "text")):
            self.refused(*command, says=["docs.store: the store's model: ", "model.safetensors", "-m MODEL names it elsewhere"])
        self.assertEqual(self.sync(*options)["texts_embedded"], 0)

    def test_touches_no_file_of_others(self):
        self.write("a.txt", "Some text.")
        foreign = self.root / "foreign.db"
        with sqlite3.connect(foreign) as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("CREATE TABLE mine (x)")
        database.close()
        foreign.with_name("foreign.db-wal").touch()  # As beside one that is open.
        text = self.root / "notes.md"
        text.write_text("not a database " * 20)
        for path in (foreign, text):
            before = path.read_bytes()
            for more in ((), ("--rebuild",)):
                self.refused("sync", "-m", models / "q8.safetensors", self.docs, path, *more, says="another program")
            self.refused("similar", "--store", path, "text", says="another program")
            self.assertEqual(before, path.read_bytes())
        self.refused("similar", "--store", self.root / "none", "text", says="there is no store")

    def test_says_that_a_store_is_damaged(self):
        self.write("a.txt", prose(random.Random(4), 200))
        self.sync()
        good = self.store.read_bytes()
        source = random.Random(5)
        for i in range(20):
            bad = bytearray(good)
            if i % 2:
                bad = bad[:source.randrange(4096, len(bad))]
            else:
                start = source.randrange(100, len(bad) - 4096)
                bad[start:start + 4096] = source.randbytes(4096)
            self.store.write_bytes(bad)
            for command in (("similar", "--store", self.store, "text"),
                            ("sync", "-m", models / "q8.safetensors", self.docs, self.store)):
                result = run(*command)
                self.assertIn(result.returncode, (0, 1, 2), (i, command, result.stderr))
                if result.returncode:
                    self.assertIn(b"docs.store", result.stderr)
        self.assertGreater(self.sync("--rebuild")["texts_embedded"], 0)
        contents(self.store)

    def test_says_that_sqlite_is_too_old(self):
        self.write("a.txt", "Some text.")
        functions = re.findall(r"  F\((\w+),", (ROOT / "src/sync/sqlite.h").read_text())
        source = self.root / "sqlite.cc"
        source.write_text("".join(f'extern "C" int sqlite3_{name}() {{ return {3007017 * (name == "libversion_number")}; }}\n'
                                  for name in functions))
        subprocess.run([*shlex.split(os.environ["THIMBLE_CXX"]), "-shared", "-fPIC", source, "-o",
                        self.root / "libsqlite3.so.0"], check=True)
        self.refused("sync", "-m", models / "q8.safetensors", self.docs, self.store,
                     says="needs SQLite 3.8.2 or newer, found 3.7.17", code=1,
                     env={**os.environ, "LD_LIBRARY_PATH": str(self.root)})
        self.assertFalse(self.store.exists())

    def test_a_full_disk_leaves_whole_files(self):
        source = random.Random(6)
        for i in range(8):
            self.write(f"{i}.txt", prose(source, 100))

        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (120_000, 120_000))
        self.refused("sync", "-m", models / "q8.safetensors", self.docs, self.store, says="docs.store", code=1,
                     preexec_fn=limit)
        contents(self.store)
        self.sync()
        fresh = self.root / "fresh.store"
        self.sync(store=fresh)
        self.assertEqual(contents(self.store), contents(fresh))


class Kill(Case):
    def test_at_random_moments_the_next_run_completes(self):
        source = random.Random(7)
        for i in range(30):
            self.write(f"{i}.md", prose(source, 80))
        fresh = self.root / "fresh.store"
        self.sync(store=fresh)
        for i in range(10):
            self.write(f"{i}.md", prose(source, 80))
        os.rename(self.docs / "20.md", self.docs / "moved.md")
        (self.docs / "21.md").unlink()
        done = self.root / "done.store"
        shutil.copy(fresh, done)
        began = time.monotonic()
        self.sync(store=done)
        seconds = time.monotonic() - began
        expected = contents(done)
        killed = 0
        for i in range(20):
            for suffix in ("", "-wal", "-shm"):
                pathlib.Path(str(self.store) + suffix).unlink(missing_ok=True)
            if i % 2:
                shutil.copy(fresh, self.store)
            process = subprocess.Popen([CLI, "sync", "-m", str(models / "q8.safetensors"), str(self.docs),
                                        str(self.store)], stdout=subprocess.DEVNULL)
            time.sleep(source.random() * seconds)
            process.kill()
            killed += process.wait() == -signal.SIGKILL
            if self.store.exists() and self.store.stat().st_size > 0:
                run("similar", "--store", self.store, "river")
            self.sync()
            self.assertEqual(contents(self.store), expected)
        self.assertGreater(killed, 5)


class Together(Case):
    def test_syncs_take_turns_and_searches_go_on(self):
        source = random.Random(8)
        for i in range(20):
            self.write(f"{i}.md", prose(source, 60))
        self.sync(store=self.root / "fresh.store")
        command = [CLI, "sync", "-m", str(models / "q8.safetensors"), "--json", str(self.docs), str(self.store)]
        syncs = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(3)]
        for process in syncs:
            self.addCleanup(process.kill)
        searched = 0
        while any(process.poll() is None for process in syncs):
            result = run("similar", "--store", self.store, "river water")
            if result.returncode == 0:
                searched += bool(result.stdout)
            else:
                self.assertIn(b"there is no store", result.stderr)
        self.assertGreater(searched, 0)
        reports = []
        for process in syncs:
            output, errors = process.communicate()
            self.assertEqual(process.returncode, 0, errors)
            reports.append(json.loads(output))
        self.assertEqual(sorted(report["files_added"] for report in reports), [0, 0, 20])
        self.assertEqual(contents(self.store), contents(self.root / "fresh.store"))


class Search(Case):
    def test_is_exact_and_says_where(self):
        source = random.Random(9)
        for i in range(5):
            self.write(f"{i}.md", "# Book\n\n" + prose(source, 40))
        self.write("copy.md", (self.docs / "3.md").read_bytes())
        self.sync()
        found = self.similar("river of asia", "--top", "8")
        self.assertEqual(len(found), 8)
        lines = self.root / "all.jsonl"
        _, _, texts, _ = contents(self.store)
        lines.write_text("".join(json.dumps(text) + "\n" for _, text, _, _ in texts))
        ranked = [json.loads(line) for line in
                  run("similar", "-m", models / "q8.safetensors", "--json", "--top", "8", "river of asia", lines)
                  .stdout.splitlines()]
        best = []
        for match in found:
            if match["cosine"] not in best:
                best.append(match["cosine"])
        self.assertEqual(best, [match["cosine"] for match in ranked][:len(best)])
        self.assertEqual(found[0]["percentile"], ranked[0]["percentile"])
        for match in found:
            text = (self.docs / match["file"]).read_text().splitlines()
            self.assertIn(match["text"], "\n".join(text[match["first_line"] - 1:match["last_line"]]))
            self.assertEqual(match["heading"][0], "Book")
        plain = run("similar", "--store", self.store, "--top", "1", "river of asia").stdout.decode().split("\t")
        self.assertEqual(len(plain), 5)
        self.assertEqual(plain[2], f"{found[0]['file']}:{found[0]['first_line']}-{found[0]['last_line']}")


class Diff(Case):
    def diff(self, a, b, texts, *more):
        result = run("diff", models / f"{a}.safetensors", models / f"{b}.safetensors", texts, *more)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout.decode()

    def test_tells_whether_an_index_can_be_kept(self):
        source = random.Random(10)
        texts = self.root / "texts.txt"
        texts.write_text("".join(" ".join(source.choice(WORDS) for _ in range(9)) + "\n" for _ in range(300)))
        same = json.loads(self.diff("q8", "q8", texts, "--json"))
        self.assertEqual((same["verdict"], same["overlap"], same["rank_loss"]["mean"]), ("same", 1, 0))
        self.assertIn("bit for bit", self.diff("q8", "q8", texts))
        near = json.loads(self.diff("fp32", "fp16", texts, "--json"))
        self.assertEqual(near["verdict"], "nearly")
        self.assertGreater(near["cosine"]["mean"], 0.999)
        self.assertEqual(near["texts_compared"], 300)
        far = json.loads(self.diff("fp32", "q4-small", texts, "--json"))
        self.assertLess(far["overlap"], near["overlap"])
        few = self.root / "few.txt"
        few.write_text("a\nb\nc\nd\n")
        self.assertEqual(json.loads(self.diff("fp32", "fp16", few, "--json"))["verdict"], "unknown")
        self.assertIn("Too few texts to tell: chance alone finds 100 % of the 3 nearest", self.diff("fp32", "fp16", few))
        one = self.root / "one.txt"
        one.write_text("one\n")
        self.refused("diff", models / "q8.safetensors", models / "q4.safetensors", one, says="at least 2 texts")
        self.refused("diff", models / "q8.safetensors", models / "q4.safetensors", "-", says="needs a file")
        table = self.root / "texts.csv"
        table.write_text("text\na\nb\n")
        self.refused("diff", models / "q8.safetensors", models / "q4.safetensors", table, says="under another name")
        pipe = self.root / "pipe"
        os.mkfifo(pipe)
        self.refused("diff", models / "q8.safetensors", models / "q4.safetensors", pipe, says="not a pipe")
        self.refused("diff", models / "q8.safetensors", models / "reranker-q8.safetensors", self.root / "missing.txt",
                     says="is a reranker")
        other = run("diff", models / "q8.safetensors", "mock", texts, "--json")
        self.assertEqual(other.returncode, 0, other.stderr)
        other = json.loads(other.stdout)
        self.assertEqual((other["cosine"], other["kept_overlap"], other["verdict"]), (None, None, "no"))

    @unittest.skipIf(SANITIZED, "a sanitizer takes its own memory")
    def test_keeps_the_limit_of_memory(self):
        texts = self.root / "texts.txt"
        texts.write_text("".join(f"text {i}\n" for i in range(1500)))
        pair = models / "q8.safetensors", models / "q4.safetensors"
        self.refused("diff", *pair, texts, "--max-memory", "500KB", says="needs")
        self.refused("diff", *pair, texts, "--max-memory", "2MB", says="comparing 1500 texts needs")
        values = [json.loads(self.diff("q8", "q4", texts, "--json", *more)) for more in ((), ("--max-memory", "5MB"))]
        self.assertEqual(*values)


if __name__ == "__main__":
    unittest.main()
