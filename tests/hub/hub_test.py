"""Pulls, lists and removes models with a hub on loopback, its faults included. Needs no network."""

import fcntl
import importlib.util
import json
import os
import pathlib
import resource
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from fake_hub import COMMIT, Answer, FakeHub, read_folder
import need

CLI = os.environ["THIMBLE_CLI"]
REPOSITORY = "test/tiny"
WEIGHTS = "/model.safetensors"


def setUpModule():
    global temporary, source
    temporary = tempfile.TemporaryDirectory()
    subprocess.run([os.environ["THIMBLE_MAKE_TEST_MODEL"], temporary.name], check=True)
    source = pathlib.Path(temporary.name) / "source"


def tearDownModule():
    temporary.cleanup()


def files_in(folder):
    return sorted(path.relative_to(folder).as_posix() for path in pathlib.Path(folder).rglob("*") if path.is_file())


class HubTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.home = pathlib.Path(folder.name) / "models"
        self.files = read_folder(source)
        self.hub = FakeHub({REPOSITORY: self.files})
        self.addCleanup(self.hub.close)

    def environment(self, changes):
        kept = {key: value for key, value in os.environ.items()
                if not key.startswith(("HF_", "THIMBLE_", "HUGGING", "TRANSFORMERS_", "XDG_"))
                and not key.lower().endswith("_proxy")}
        return {**kept, "HOME": str(self.home.parent), "THIMBLE_HOME": str(self.home), "HF_ENDPOINT": self.hub.url,
                **changes}

    def run_cli(self, *arguments, cwd=None, **environment):
        return subprocess.run([CLI, *arguments], capture_output=True, text=True, timeout=120,
                              cwd=cwd or self.home.parent, env=self.environment(environment))

    def start(self, *arguments, **environment):
        process = subprocess.Popen([CLI, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env=self.environment(environment))
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def pull(self, *arguments, **environment):
        result = self.run_cli("pull", REPOSITORY, "--json", *arguments, **environment)
        self.assertEqual((result.returncode, result.stderr), (0, ""), result)
        return json.loads(result.stdout)

    def check_fails(self, code, *says, arguments=("pull", REPOSITORY), **environment):
        result = self.run_cli(*arguments, **environment)
        self.assertEqual((result.returncode, result.stdout), (code, ""), result.stderr)
        for word in says:
            self.assertIn(word, result.stderr)
        self.assertNotIn("secret", result.stderr)
        return result.stderr

    def check_model(self, dtype="q8", name="tiny"):
        """The model gives the vector of one that was converted from the folder."""
        made = pathlib.Path(temporary.name) / f"expected-{dtype}.safetensors"
        if not made.exists():
            subprocess.run([CLI, "convert", source, made, "--dtype", dtype], check=True, env=self.environment({}))
        expected = self.run_cli("embed", "-m", str(made), "a small text")
        found = self.run_cli("embed", "-m", name, "--dtype", dtype, "a small text")
        self.assertEqual((found.returncode, found.stderr), (0, ""))
        self.assertEqual(found.stdout, expected.stdout)

    def check_home(self, *expected):
        self.assertEqual(files_in(self.home), sorted(expected))
        self.assertFalse((self.home / ".pull").exists() and not files_in(self.home / ".pull"))


class Success(HubTest):
    def test_gets_converts_and_keeps_a_model(self):
        found = self.pull()
        path = self.home / "test/tiny-q8.safetensors"
        self.assertEqual(found, {"name": "tiny", "dtype": "q8", "path": str(path), "bytes": path.stat().st_size,
                                 "organisation": "test", "repository": REPOSITORY, "revision": COMMIT, "downloaded": True})
        self.check_home("test/tiny-q8.safetensors")
        self.check_model()
        self.assertEqual(self.run_cli("embed", "-m", REPOSITORY, "a").returncode, 0)
        for request in self.hub.requests:
            self.assertNotIn("authorization", request.headers)
            self.assertRegex(request.headers["user-agent"], r"^thimble/\d")
        # Once it is there, nothing asks the hub.
        asked = len(self.hub.requests)
        self.assertEqual(self.pull(), {**found, "downloaded": False})
        self.assertEqual(self.run_cli("pull", REPOSITORY).stdout, f"{path}\n")
        self.assertEqual(len(self.hub.requests), asked)
        self.assertTrue(self.pull("--force")["downloaded"])
        self.assertEqual(len(self.hub.requests), 2 * asked)

    def test_takes_onnx_where_there_are_no_safetensors(self):
        files = dict(self.files)
        files["onnx/model.onnx"] = onnx_of(files.pop("model.safetensors"))
        self.hub.repositories[REPOSITORY] = files
        self.assertTrue(self.pull("--dtype", "fp32")["downloaded"])
        self.assertEqual(len(self.hub.of("/onnx/model.onnx")), 2)
        self.check_model("fp32")

    def test_a_revision_is_resolved_to_its_commit(self):
        self.pull("--revision", "refs/pr/1")
        self.assertEqual(self.hub.requests[0].path, "/api/models/test/tiny/revision/refs%2Fpr%2F1")
        self.assertTrue(all(COMMIT in request.path for request in self.hub.requests[1:]))
        self.check_home("test/tiny@refs%2Fpr%2F1-q8.safetensors")
        asked = len(self.hub.requests)
        for revision in ("refs/pr/1", COMMIT):
            self.assertFalse(self.pull("--revision", revision)["downloaded"])
            self.assertEqual(len(self.hub.requests), asked)
        # The same commit is not got twice.
        self.assertFalse(self.pull("--revision", "main")["downloaded"])
        self.assertEqual(len(self.hub.requests), asked + 1)
        self.check_home("test/tiny@refs%2Fpr%2F1-q8.safetensors", "test/tiny-q8.safetensors")
        self.check_model()

    def test_a_known_name_leads_to_its_repository(self):
        self.hub.repositories = {"sentence-transformers/all-MiniLM-L6-v2": self.files}
        for name in ("all-MiniLM-L6-v2", "Xenova/all-MiniLM-L6-v2"):
            result = self.run_cli("pull", name, "--json")
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(json.loads(result.stdout)["repository"], "sentence-transformers/all-MiniLM-L6-v2")
        self.assertEqual(len(self.hub.of(WEIGHTS)), 2)
        self.check_model(name="all-MiniLM-L6-v2")
        self.check_home("sentence-transformers/all-MiniLM-L6-v2-q8.safetensors")
        for name in ("Xenova/all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2"):
            self.check_model(name=name)
        self.check_fails(1, "there is sentence-transformers/all-MiniLM-L6-v2",
                         arguments=("info", "acme/all-MiniLM-L6-v2"))
        self.check_fails(2, "is not a known name; add its organisation", arguments=("pull", "some-model"))

    def test_what_is_known_of_a_model_counts_where_its_files_are_silent(self):
        files = dict(self.files)
        for name in ("modules.json", "1_Pooling/config.json", "sentence_bert_config.json", "config_sentence_transformers.json"):
            del files[name]
        self.hub.repositories = {"BAAI/bge-small-en-v1.5": files, REPOSITORY: files}
        result = self.run_cli("pull", "bge-small-en-v1.5")
        self.assertEqual(result.returncode, 0)
        self.assertIn("built-in value for this model", result.stderr)
        info = json.loads(self.run_cli("info", "bge-small-en-v1.5", "--json").stdout)
        self.assertEqual((info["pooling"], info["normalize"], "prompt.query" in info), ("cls", True, True))

    def test_a_model_that_states_no_pooling_needs_it_named(self):
        files = dict(self.files)
        del files["modules.json"]
        self.hub.repositories = {REPOSITORY: files}
        self.check_fails(1, "--pooling", arguments=("pull", REPOSITORY))
        self.assertFalse(self.hub.of("/model.safetensors"), "known before the weights come")

        def info(*arguments):
            self.assertEqual(self.run_cli("pull", REPOSITORY, *arguments).returncode, 0)
            info = json.loads(self.run_cli("info", REPOSITORY, "--json").stdout)
            return info["pooling"], info["normalize"]
        self.assertEqual(info("--pooling", "mean"), ("mean", False))
        self.assertEqual(info(), ("mean", False))
        self.assertEqual(info("--pooling", "max", "--normalize"), ("max", True))

    def test_a_folder_that_states_no_pooling_opens_and_calls_name_it(self):
        folder = self.home.parent / "bare"
        for name, data in self.files.items():
            if name != "modules.json":
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(data)
        self.check_fails(2, "does not state its pooling; set --pooling to mean", arguments=("embed", "-m", str(folder), "a"))
        named = self.run_cli("embed", "-m", str(folder), "--pooling", "mean", "--normalize", "a small text")
        self.assertEqual(named.returncode, 0, named.stderr)
        expected = self.run_cli("embed", "-m", str(source), "a small text")
        self.assertEqual(named.stdout, expected.stdout)
        self.assertEqual(self.run_cli("verify", str(folder)).returncode, 0)
        self.check_fails(1, "--pooling", arguments=("pull", str(folder)))
        self.assertEqual(self.run_cli("pull", str(folder), "--pooling", "cls").returncode, 0)
        self.assertEqual(json.loads(self.run_cli("info", str(folder), "--json").stdout)["pooling"], "cls")

    def test_a_known_model_that_does_not_run_is_refused_before_a_request(self):
        for name in ("nomic-embed-text-v1.5", "nomic-ai/nomic-embed-text-v1.5"):
            self.check_fails(1, "not supported yet: it needs rotary positions and a gated", arguments=("pull", name))
        self.assertEqual(self.hub.requests, [])

    def test_list_and_rm(self):
        self.assertEqual(json.loads(self.run_cli("list", "--json").stdout), {"folder": str(self.home), "models": []})
        self.pull()
        self.pull("--dtype", "q4")
        shutil.copy(self.home / "test/tiny-q4.safetensors", self.home / "other-tiny-fp16-q4.safetensors")
        (self.home / "noise-q8.safetensors").write_bytes(b"noise")
        listed = json.loads(self.run_cli("list", "--json").stdout)["models"]
        self.assertEqual([(model["name"], model["dtype"]) for model in listed],
                         [("other-tiny-fp16", "q4"), ("tiny", "q4"), ("tiny", "q8")])
        self.assertEqual(listed[2]["bytes"], (self.home / "test/tiny-q8.safetensors").stat().st_size)
        self.assertEqual((listed[2]["repository"], listed[2]["revision"]), (REPOSITORY, COMMIT))
        self.assertRegex(listed[2]["used"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertRegex(self.run_cli("list").stdout, r"(?m)^tiny +q8 +0\.2 MB  \d{4}-\d\d-\d\d  test/tiny$")
        result = self.run_cli("rm", REPOSITORY, "--dtype", "q4")
        self.assertEqual((result.returncode, result.stdout), (0, f"{self.home}/test/tiny-q4.safetensors\n"))
        self.check_fails(1, "which has test/tiny with dtype q8", arguments=("rm", "other/tiny"))
        self.assertEqual(self.run_cli("rm", "tiny").returncode, 0)
        self.check_home("noise-q8.safetensors", "other-tiny-fp16-q4.safetensors")
        self.check_fails(1, "not found in", arguments=("rm", "tiny"))
        self.check_fails(1, "not found in", arguments=("rm", "../tiny"))
        self.check_fails(2, "a b", arguments=("rm", "a b"))
        self.check_fails(2, "q5", arguments=("rm", "tiny", "--dtype", "q5"))

    def test_the_folder_is_the_same_for_every_command(self):
        home = self.home.parent
        for environment, folder in (({"XDG_CACHE_HOME": f"{home}/xdg", "HOME": str(home)}, home / "xdg/thimble"),
                                    ({"XDG_CACHE_HOME": "relative", "HOME": str(home)}, home / ".cache/thimble"),
                                    ({"HOME": f"{home}/2", "XDG_CACHE_HOME": ""}, home / "2/.cache/thimble")):
            environment["THIMBLE_HOME"] = ""
            self.pull(**environment)
            self.assertEqual(files_in(folder), ["test/tiny-q8.safetensors"])
            self.assertEqual(self.run_cli("embed", "-m", "tiny", "a", **environment).returncode, 0)
            self.assertEqual(self.run_cli("info", "tiny", **environment).returncode, 0)
            self.assertEqual(self.run_cli("rm", "tiny", **environment).returncode, 0)
        self.check_fails(1, "HOME", arguments=("list",), THIMBLE_HOME="", XDG_CACHE_HOME="", HOME="")

    def test_a_model_that_is_not_there_is_named_with_the_command_that_gets_it(self):
        for command in (("embed", "-m", REPOSITORY, "a"), ("info", REPOSITORY), ("tokenize", "-m", REPOSITORY, "a")):
            says = self.check_fails(1, "tiny-q4", arguments=(*command, "--dtype", "q4"))
            self.assertTrue(says.endswith("get it with: thimble pull test/tiny --dtype q4\n"), says)
        self.assertEqual(self.run_cli(*says.split("thimble ")[-1].split()).returncode, 0)
        self.assertEqual(self.run_cli("embed", "-m", REPOSITORY, "--dtype", "q4", "a").returncode, 0)
        self.check_fails(2, "q5", arguments=("embed", "-m", REPOSITORY, "--dtype", "q5", "a"))


OTHER_COMMIT = "89abcdef0123456789abcdef0123456789abcdef"


class Vocabularies(HubTest):
    """A repository of before tokenizer.json has the files of a vocabulary alone."""

    def setUp(self):
        super().setUp()
        del self.files["tokenizer.json"]
        tokens = ["<s>", "<pad>", "</s>", "<unk>", "a", "b", "ab", "<mask>"]
        self.files["vocab.json"] = json.dumps({token: i for i, token in enumerate(tokens)}).encode()
        self.files["merges.txt"] = b"#version: 0.2\na b\n"
        self.files["tokenizer_config.json"] = b'{"tokenizer_class": "RobertaTokenizer"}'

    def check_ids(self, model):
        result = self.run_cli("tokenize", "-m", model, "aba")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(json.loads(result.stdout)["ids"], [0, 6, 4, 2])

    def test_is_downloaded(self):
        self.pull()
        self.check_ids(REPOSITORY)

    def test_is_read_from_a_folder_and_again_when_it_has_changed(self):
        folder = self.home.parent / "mine"
        for name, data in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        self.check_ids(str(folder))
        (folder / "merges.txt").write_bytes(b"#version: 0.2\n")
        result = self.run_cli("tokenize", "-m", str(folder), "aba")
        self.assertEqual(json.loads(result.stdout)["ids"], [0, 4, 5, 4, 2])


class Identity(HubTest):
    def add_branch(self, revision="v2", commit=OTHER_COMMIT):
        """Another revision of the repository, with vectors of its own."""
        files = dict(self.files)
        pooling = {**json.loads(files["1_Pooling/config.json"]), "pooling_mode_mean_tokens": False,
                   "pooling_mode_cls_token": True}
        files["1_Pooling/config.json"] = json.dumps(pooling).encode()
        self.hub.branches.setdefault(REPOSITORY, {})[revision] = (commit, files)

    def pooling(self, model, *arguments, **environment):
        result = self.run_cli("info", model, "--json", *arguments, **environment)
        self.assertEqual((result.returncode, result.stderr), (0, ""), result)
        return json.loads(result.stdout)["pooling"]

    def test_another_repositorys_model_is_not_taken_for_it(self):
        self.hub.repositories["other/tiny"] = self.files
        self.pull()
        says = self.check_fails(1, "other/tiny", "there is test/tiny with dtype q8",
                                arguments=("embed", "-m", "other/tiny", "a"))
        self.assertTrue(says.endswith("thimble pull other/tiny --dtype q8\n"), says)
        self.assertEqual(self.run_cli("embed", "-m", "tiny", "a").returncode, 0)
        self.assertEqual(self.run_cli("pull", "other/tiny").returncode, 0)
        self.check_home("test/tiny-q8.safetensors", "other/tiny-q8.safetensors")
        for name in ("other/tiny", "test/tiny"):
            self.check_model(name=name)
        self.check_fails(2, "other/tiny and test/tiny", arguments=("embed", "-m", "tiny", "a"))
        self.check_fails(2, "other/tiny and test/tiny", arguments=("rm", "tiny"))
        self.assertEqual(self.run_cli("rm", "other/tiny").returncode, 0)
        self.check_home("test/tiny-q8.safetensors")

    def test_names_compare_without_case(self):
        self.assertEqual(self.run_cli("pull", "Test/TINY", "--json").returncode, 0)
        self.check_home("test/tiny-q8.safetensors")
        asked = len(self.hub.requests)
        self.assertFalse(self.pull()["downloaded"])
        self.check_model(name="TEST/Tiny")
        self.assertEqual(self.run_cli("rm", "Tiny").returncode, 0)
        self.assertEqual(len(self.hub.requests), asked)

    def test_revisions_lie_side_by_side(self):
        self.add_branch()
        self.assertEqual(self.pull("--revision", "v2")["revision"], OTHER_COMMIT)
        self.check_home("test/tiny@v2-q8.safetensors")
        self.check_fails(1, "there is test/tiny@v2 with dtype q8", arguments=("embed", "-m", REPOSITORY, "a"))
        self.check_fails(1, "there is test/tiny@v2 with dtype q8", arguments=("embed", "-m", "tiny", "a"))
        self.assertEqual(self.pull()["revision"], COMMIT)
        self.check_home("test/tiny@v2-q8.safetensors", "test/tiny-q8.safetensors")
        for model, arguments, pooling in ((REPOSITORY, (), "mean"), ("tiny@v2", (), "cls"), (f"tiny@{COMMIT}", (), "mean"),
                                          (f"{REPOSITORY}@{OTHER_COMMIT}", (), "cls"), ("tiny", ("--revision", "v2"), "cls"),
                                          ("tiny@main", (), "mean")):
            self.assertEqual(self.pooling(model, *arguments), pooling, model)
        asked = len(self.hub.requests)
        for model in (REPOSITORY, f"{REPOSITORY}@v2", f"{REPOSITORY}@{OTHER_COMMIT}", "Test/tiny@main"):
            result = self.run_cli("pull", model, "--json", HF_HUB_OFFLINE="1")
            self.assertEqual((result.returncode, json.loads(result.stdout)["downloaded"]), (0, False))
        self.assertEqual(len(self.hub.requests), asked)
        self.check_fails(2, "v3", arguments=("embed", "-m", "tiny@v2", "--revision", "v3", "a"))
        self.check_fails(2, "v3", arguments=("pull", "test/tiny@v2", "--revision", "v3"))
        self.assertEqual(self.run_cli("rm", "tiny@v2").returncode, 0)
        self.check_home("test/tiny-q8.safetensors")

    def test_a_branch_that_moved_is_got_again_when_asked_to(self):
        self.pull()
        self.add_branch("main")
        asked = len(self.hub.requests)
        self.assertEqual(self.pull()["revision"], COMMIT)
        self.assertEqual(len(self.hub.requests), asked)
        self.assertEqual(self.pull("--force")["revision"], OTHER_COMMIT)
        self.assertEqual(self.pooling("tiny"), "cls")
        self.check_home("test/tiny-q8.safetensors")

    def test_a_model_gets_the_name_that_is_asked_for(self):
        self.assertEqual(self.pull("--name", "acme/mine")["name"], "mine")
        self.check_home("acme/mine-q8.safetensors")
        asked = len(self.hub.requests)
        self.assertFalse(self.pull("--name", "acme/mine")["downloaded"])
        self.assertEqual(len(self.hub.requests), asked)
        self.hub.repositories["other/tiny"] = self.files
        self.check_fails(2, "is test/tiny, not other/tiny", arguments=("pull", "other/tiny", "--name", "acme/mine"))
        self.check_fails(2, "--name: expected a name without a revision", arguments=("pull", REPOSITORY, "--name", "acme/mine@v2"))

    def test_what_an_older_version_kept_is_found(self):
        self.pull()
        (self.home / "test/tiny-q8.safetensors").rename(self.home / "tiny-q8.safetensors")
        (self.home / "test").rmdir()
        asked = len(self.hub.requests)
        self.assertFalse(self.pull()["downloaded"])
        self.assertEqual(len(self.hub.requests), asked)
        for name in ("tiny", REPOSITORY):
            self.check_model(name=name)
        self.check_fails(1, "there is test/tiny", arguments=("embed", "-m", "other/tiny", "a"))
        self.assertTrue(self.pull("--force")["downloaded"])
        self.check_home("test/tiny-q8.safetensors")

    def test_a_file_made_by_hand_counts_for_its_bare_name(self):
        self.home.mkdir()
        subprocess.run([CLI, "convert", source, self.home / "tiny-q8.safetensors"], check=True,
                       env=self.environment({}))
        self.check_model()
        self.check_fails(1, "no organisation is recorded", arguments=("embed", "-m", REPOSITORY, "a"))
        self.assertTrue(self.pull()["downloaded"])
        self.check_home("tiny-q8.safetensors", "test/tiny-q8.safetensors")

    def test_a_file_that_is_no_model_is_replaced(self):
        (self.home / "test").mkdir(parents=True)
        (self.home / "test/tiny-q8.safetensors").write_bytes(b"half of something")
        self.assertTrue(self.pull()["downloaded"])
        self.check_model()


class Folders(HubTest):
    """A folder given by its path works wherever a name does."""

    def setUp(self):
        super().setUp()
        self.mine = self.home.parent / "a/mine"
        shutil.copytree(source, self.mine)

    def made(self):
        return [name for name in files_in(self.home) if name.startswith(".folders") and name.endswith("safetensors")]

    def test_is_converted_once_and_kept_for_its_path(self):
        for model, cwd in (("./a/mine", None), (str(self.mine), None), ("../a/mine/", self.mine.parent), (".", self.mine)):
            result = self.run_cli("info", model, "--json", cwd=cwd)
            self.assertEqual((result.returncode, result.stderr), (0, ""), result)
            self.assertEqual(len(self.made()), 1)
        time_made = (self.home / self.made()[0]).stat().st_mtime_ns
        self.check_model(name="./a/mine")
        self.assertEqual((self.home / self.made()[0]).stat().st_mtime_ns, time_made)
        self.assertEqual([name for name in files_in(self.home) if "/" not in name], [])
        listed = json.loads(self.run_cli("list", "--json").stdout)["models"]
        self.assertEqual([model["name"] for model in listed], [str(self.mine)])
        self.assertEqual(self.hub.requests, [])
        self.assertEqual(self.run_cli("rm", "./a/mine").returncode, 0)
        self.check_home()

    def test_another_folder_of_the_same_name_is_another_model(self):
        other = self.home.parent / "b/mine"
        shutil.copytree(source, other)
        config = json.loads((other / "1_Pooling/config.json").read_text())
        config.update(pooling_mode_mean_tokens=False, pooling_mode_cls_token=True)
        (other / "1_Pooling/config.json").write_text(json.dumps(config))
        for folder, pooling in (("a", "mean"), ("b", "cls"), ("a", "mean")):
            self.assertEqual(json.loads(self.run_cli("info", f"./{folder}/mine", "--json").stdout)["pooling"], pooling)
        self.assertEqual(len(self.made()), 2)
        self.assertEqual(self.run_cli("pull", "./a/mine").returncode, 0)
        self.check_fails(2, "was not made from", "choose another --name, or set --force", arguments=("pull", "./b/mine"))
        self.assertEqual(json.loads(self.run_cli("info", "mine", "--json").stdout)["pooling"], "mean")
        self.assertEqual(self.run_cli("pull", "./b/mine", "--name", "acme/yours").returncode, 0)
        self.assertEqual(json.loads(self.run_cli("info", "acme/yours", "--json").stdout)["pooling"], "cls")
        self.assertEqual(self.run_cli("pull", "./b/mine", "--force").returncode, 0)
        self.assertEqual(json.loads(self.run_cli("info", "mine", "--json").stdout)["pooling"], "cls")

    def test_one_that_has_changed_is_converted_again(self):
        pooling = self.mine / "1_Pooling/config.json"
        text, status = pooling.read_text(), pooling.stat()

        def found():
            return json.loads(self.run_cli("info", "./a/mine", "--json").stdout)["pooling"]
        self.assertEqual(found(), "mean")
        before = self.made()
        os.utime(pooling)  # Touched, and the same.
        self.assertEqual((found(), self.made()), ("mean", before))
        changed = text.replace('cls_token": false', 'cls_token": true').replace('mean_tokens": true', 'mean_tokens": false')
        self.assertEqual(len(changed), len(text))
        pooling.write_text(changed)
        os.utime(pooling, ns=(status.st_atime_ns, status.st_mtime_ns))  # As a copy program would set it.
        self.assertEqual(found(), "cls")
        self.assertEqual(len(self.made()), 1)

    def test_pull_gives_it_a_name(self):
        for _ in range(2):
            result = self.run_cli("pull", "./mine", "--dtype", "q4", cwd=self.mine.parent)
            self.assertEqual((result.returncode, result.stdout, result.stderr), (0, f"{self.home}/mine-q4.safetensors\n", ""))
        self.check_model("q4", name="mine")
        self.assertEqual(len(self.made()), 1)
        self.check_fails(1, "./absent: not found", "looked for", arguments=("pull", "./absent"))
        self.check_fails(2, "no revision", arguments=("pull", str(source), "--revision", "main"))

    def test_an_error_says_what_was_found(self):
        (self.mine / "model.safetensors").unlink()
        self.check_fails(1, "no weights", "model.safetensors", "found 1_Pooling/, config.json",
                         arguments=("embed", "-m", "./a/mine", "a"))
        (self.mine / "tokenizer.json").unlink()
        self.check_fails(1, "neither tokenizer.json nor vocab.txt", arguments=("embed", "-m", "./a/mine", "a"))
        self.check_fails(1, "expected a Hugging Face folder", "found mine/", arguments=("embed", "-m", "./a", "a"))
        self.check_fails(1, "./absent: not found", arguments=("embed", "-m", "./absent", "a"))
        self.check_home()

    def test_one_that_holds_a_model_file_opens_it(self):
        made = self.home.parent / "made"
        made.mkdir()
        subprocess.run([CLI, "convert", source, made / "x-q8.safetensors"], check=True, env=self.environment({}))
        self.check_model(name="./made")
        self.check_fails(1, "no model with dtype q4, found x-q8.safetensors", arguments=("info", "./made", "--dtype", "q4"))


class Caches(HubTest):
    """What other programs have on this machine comes before the network, and without it."""

    def setUp(self):
        super().setUp()
        self.hub.close()  # Nobody answers.

    def snapshot(self, cache, files=None, refs=(("main", COMMIT),), folder="models--test--tiny", commit=COMMIT):
        """As huggingface_hub keeps a repository: files behind links."""
        root = pathlib.Path(cache) / folder
        for name, data in (self.files if files is None else files).items():
            blob = root / "blobs" / str(abs(hash((name, commit))))
            blob.parent.mkdir(parents=True, exist_ok=True)
            blob.write_bytes(data)
            link = root / "snapshots" / commit / name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(blob)
        for name, value in refs:
            ref = root / "refs" / name
            ref.parent.mkdir(parents=True, exist_ok=True)
            ref.write_text(value)

    def test_of_huggingface_hub(self):
        home = self.home.parent
        for environment, cache in (({}, home / ".cache/huggingface/hub"),
                                   ({"XDG_CACHE_HOME": f"{home}/xdg"}, home / "xdg/huggingface/hub"),
                                   ({"HF_HOME": "~/$PART/hf", "PART": "x"}, home / "x/hf/hub"),
                                   ({"HF_HOME": "/nowhere", "HUGGINGFACE_HUB_CACHE": f"{home}/old"}, home / "old"),
                                   ({"HF_HOME": "/nowhere", "HF_HUB_CACHE": "${HOME}/cache"}, home / "cache")):
            with self.subTest(environment):
                self.snapshot(cache)
                result = self.run_cli("embed", "-m", REPOSITORY, "a small text", **environment)
                self.assertEqual((result.returncode, result.stderr), (0, ""))
                self.check_home("test/tiny-q8.safetensors")
                self.check_model()
                result = self.run_cli("pull", REPOSITORY, "--dtype", "q4", "--json", **environment)
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertEqual([json.loads(result.stdout)[key] for key in ("repository", "revision", "downloaded")],
                                 [REPOSITORY, COMMIT, False])
                shutil.rmtree(cache)
                shutil.rmtree(self.home)

    def test_a_revision_is_the_one_that_was_resolved(self):
        cache = self.home.parent / ".cache/huggingface/hub"
        other = dict(self.files)
        other["modules.json"] = json.dumps(json.loads(other["modules.json"])[:2]).encode()  # Not normalised.
        self.snapshot(cache)
        self.snapshot(cache, other, (("v2", OTHER_COMMIT), ("refs/pr/1", COMMIT)), commit=OTHER_COMMIT)
        for name, normalize in (("test/tiny", True), ("test/tiny@v2", False), (f"test/tiny@{OTHER_COMMIT}", False),
                                ("test/tiny@refs/pr/1", True), ("Test/Tiny@main", True), ("tiny", True)):
            result = self.run_cli("info", name, "--json")
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(json.loads(result.stdout)["normalize"], normalize, name)
        self.check_fails(1, "tiny@v3", arguments=("info", "test/tiny@v3"))

    def test_a_bare_name_opens_the_one_there_is(self):
        cache = self.home.parent / ".cache/huggingface/hub"
        self.snapshot(cache)
        self.check_model()
        self.check_home("test/tiny-q8.safetensors")
        shutil.rmtree(self.home)
        self.snapshot(cache, folder="models--other--tiny")
        self.check_fails(2, "other/tiny", "test/tiny", arguments=("info", "tiny"))
        self.check_fails(1, "third/tiny", arguments=("info", "third/tiny"))
        self.check_model(name="other/tiny")

    def test_half_a_snapshot_is_said_and_passed_over(self):
        files = {name: data for name, data in self.files.items() if name != "model.safetensors"}
        self.snapshot(self.home.parent / ".cache/huggingface/hub", files)
        self.check_fails(1, "snapshots", "no weights", arguments=("embed", "-m", REPOSITORY, "a"))
        hub = FakeHub({REPOSITORY: self.files})
        self.addCleanup(hub.close)
        self.assertTrue(self.pull(HF_ENDPOINT=hub.url)["downloaded"])

    def test_of_transformers_js_and_its_local_models(self):
        home = self.home.parent
        onnx = {name: data for name, data in self.files.items() if name != "model.safetensors"}
        onnx["onnx/model.onnx"] = onnx_of(self.files["model.safetensors"])
        (home / "app/src").mkdir(parents=True)
        for library in ("app/node_modules/@huggingface/transformers/.cache", "node_modules/@xenova/transformers/.cache",
                        "app/src/models"):
            with self.subTest(library):
                for name, data in onnx.items():
                    path = home / library / REPOSITORY / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(data)
                for environment in ({}, {"HF_HUB_OFFLINE": "1"}):
                    result = self.run_cli("info", REPOSITORY, "--json", cwd=home / "app/src", **environment)
                    self.assertEqual((result.returncode, result.stderr), (0, ""))
                # Kept for that folder, and not for the name.
                elsewhere = self.run_cli("info", REPOSITORY, cwd="/")
                self.assertEqual(elsewhere.returncode, 1, elsewhere.stdout)
                self.assertIn("test/tiny", elsewhere.stderr)
                shutil.rmtree(home / library)
                shutil.rmtree(self.home)

    def test_offline_says_where_it_looked(self):
        for variable in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
            self.check_fails(1, "OFFLINE is set", str(self.home), ".cache/huggingface/hub", **{variable: "YES"})
        self.check_fails(1, "connect", HF_HUB_OFFLINE="0", TRANSFORMERS_OFFLINE="1")

    def test_what_its_own_client_downloaded_is_opened_by_name(self):
        client = huggingface_client()
        need.here(client, "huggingface_hub, which venv and pip install")
        hub = FakeHub({REPOSITORY: self.files})
        self.addCleanup(hub.close)
        cache = self.home.parent / "hf"
        environment = self.environment({"HF_ENDPOINT": hub.url, "HF_HOME": str(cache), "HF_HUB_DISABLE_XET": "1"})
        subprocess.run([client, "-c", f"from huggingface_hub import snapshot_download; snapshot_download('{REPOSITORY}')"],
                       check=True, env=environment, capture_output=True)
        hub.close()
        self.check_offline = {"HF_HOME": str(cache), "HF_ENDPOINT": hub.url}
        for changes in ({"HF_HUB_OFFLINE": "1"}, {}):
            result = self.run_cli("embed", "-m", REPOSITORY, "a small text", **self.check_offline, **changes)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.check_model()
            shutil.rmtree(self.home)


def huggingface_client():
    """A Python that has huggingface_hub, or None."""
    if importlib.util.find_spec("huggingface_hub"):
        return sys.executable
    folder = pathlib.Path(os.environ.get("THIMBLE_BUILD", temporary.name)) / "huggingface_hub"
    python = folder / "bin/python"
    ready = folder / "ready"
    if not ready.exists():
        shutil.rmtree(folder, ignore_errors=True)
        command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "huggingface_hub"]
        for step in ([sys.executable, "-m", "venv", folder], command):
            if subprocess.run(step, capture_output=True).returncode != 0:
                return None
        ready.touch()
    return python


class Faults(HubTest):
    def fault(self, path, *answers):
        """Gives requests whose path ends so these answers in turn, None meaning the right one, then right ones."""
        rest = list(answers)

        def answer(request):
            if not request.path.endswith(path) or not rest:
                return None
            given = rest.pop(0)
            return given(request) if callable(given) else given
        self.hub.fault = answer

    def cut(self, share, **options):
        """The right answer, of which so much comes before the connection ends."""
        def answer(request):
            right = self.hub.answer(request)
            if right.status in (200, 206):
                right.send = int(len(right.body) * share)
                right.length = len(right.body)
                for key, value in options.items():
                    setattr(right, key, value)
            return right
        return answer

    def test_a_connection_that_is_cut_is_resumed(self):
        self.fault(WEIGHTS, None, self.cut(0.5), None, self.cut(0.5))
        self.pull()
        size = len(self.files["model.safetensors"])
        cdn = [request for request in self.hub.of(WEIGHTS) if request.host == "127.0.0.2"]
        self.assertEqual([request.headers.get("range") for request in cdn],
                         [None, f"bytes={size // 2}-", f"bytes={size // 2 + (size - size // 2) // 2}-"])
        self.assertEqual([request.status for request in cdn], [200, 206, 206])
        self.assertTrue(cdn[1].headers["if-range"].startswith('"'))
        self.check_model()

    def test_a_server_without_ranges_sends_all_of_it_again(self):
        self.hub.ranges = False
        self.fault(WEIGHTS, None, self.cut(0.7))
        self.pull()
        cdn = [request for request in self.hub.of(WEIGHTS) if request.host == "127.0.0.2"]
        self.assertEqual([request.status for request in cdn], [200, 200])
        self.assertIn("range", cdn[1].headers)
        self.check_model()

    def test_a_range_of_the_wrong_place_is_refused(self):
        def wrong(request):
            right = self.hub.answer(request)
            right.headers["Content-Range"] = "bytes 5-9/10"
            return right
        self.fault(WEIGHTS, None, self.cut(0.5), None, wrong)
        self.check_fails(1, "asked for bytes from")

    def test_a_file_that_changed_meanwhile_is_sent_again_whole(self):
        self.fault("/tokenizer.json", self.cut(0.5))
        old = self.files["tokenizer.json"]
        self.files["tokenizer.json"] = old + b" "
        served = []

        def change(request):
            if request.path.endswith("/tokenizer.json") and not served:
                served.append(request)
                self.files["tokenizer.json"] = b" " + old
        self.hub.served = change
        self.pull()
        self.assertEqual([request.status for request in self.hub.of("/tokenizer.json")], [200, 200])
        self.assertIn("if-range", self.hub.of("/tokenizer.json")[1].headers)

    def test_a_pull_that_was_killed_goes_on(self):
        hold = threading.Event()
        self.fault(WEIGHTS, None, self.cut(0.5, hold=hold))
        process = self.start("pull", REPOSITORY)
        part = self.home / f".pull/test%2Ftiny.files/{COMMIT}/model.safetensors.part"
        half = len(self.files["model.safetensors"]) // 2
        deadline = time.monotonic() + 60
        while not part.exists() or part.stat().st_size < half:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)
        self.check_fails(1, "not found in", arguments=("rm", "tiny"))  # Of what a pull is at work on, nothing goes.
        process.send_signal(signal.SIGKILL)
        process.wait()
        hold.set()
        self.assertFalse((self.home / "test/tiny-q8.safetensors").exists())
        self.pull()
        self.assertEqual(self.hub.requests[-1].headers["range"], f"bytes={half}-")
        self.check_model()
        self.check_home("test/tiny-q8.safetensors")

    def test_what_was_kept_and_has_spoiled_is_got_again(self):
        self.fault(WEIGHTS, *[None, self.cut(0.5)] + [Answer(500)] * 5)
        self.check_fails(1, "500")
        part = self.home / f".pull/test%2Ftiny.files/{COMMIT}/model.safetensors.part"
        size = part.stat().st_size
        self.assertEqual(size, len(self.files["model.safetensors"]) // 2)
        part.write_bytes(bytes(size))
        self.pull()
        self.check_model()

    def test_rm_removes_what_an_interrupted_pull_left(self):
        self.fault(WEIGHTS, *[None, self.cut(0.5)] + [Answer(500)] * 5)
        self.check_fails(1, "500")
        self.assertEqual(self.run_cli("rm", "tiny").returncode, 0)
        self.check_home()

    def test_a_wrong_hash_is_refused(self):
        right = self.files["model.safetensors"]

        def wrong(request):
            return Answer(200, {}, right[:-1] + bytes([right[-1] ^ 1]))
        self.fault(WEIGHTS, None, wrong)
        self.check_fails(1, "SHA-256", "model.safetensors")
        self.assertEqual([name for name in files_in(self.home) if "model" in name and not name.endswith(".part")], [])
        self.pull()
        self.check_model()

    def test_the_hash_of_the_first_answer_counts_where_the_listing_has_none(self):
        listing = self.hub.listing(REPOSITORY)
        for entry in listing["siblings"]:
            entry.pop("lfs", None)
        right = self.files["model.safetensors"]

        def answer(request):
            if request.path.startswith("/api/"):
                return Answer(200, {}, json.dumps(listing).encode())
            if request.path.startswith("/cdn/"):
                return Answer(200, {}, right[:-1] + bytes([right[-1] ^ 1]))
        self.hub.fault = answer
        self.check_fails(1, "SHA-256")

    def test_a_wrong_size_is_refused(self):
        data = self.files["tokenizer.json"]
        for body, says in ((data[:-5], "found"), (data + b"  ", "found more")):
            self.fault("/tokenizer.json", Answer(200, {}, body))
            self.check_fails(1, f"expected {len(data)} bytes", says)

    def test_what_needs_a_token_says_so(self):
        for status in (401, 403):
            self.fault("/main", Answer(status))
            self.check_fails(1, str(status), "HF_TOKEN", "test/tiny")
            self.fault("/main", Answer(status))
            self.check_fails(1, "does not give access", HF_TOKEN="secret")
        self.check_fails(1, "not found, or access needs a token", arguments=("pull", "nobody/nothing"))
        self.check_fails(1, "404", "xyz", arguments=("pull", REPOSITORY, "--revision", "xyz"))

    def test_a_file_that_is_not_there_is_named(self):
        self.fault("/tokenizer.json", Answer(404))
        self.check_fails(1, "tokenizer.json", "404")
        for name, says in (("tokenizer.json", "neither tokenizer.json nor vocab.txt"), ("config.json", "no config.json"),
                           ("model.safetensors", "no weights: looked for model.safetensors")):
            self.hub.repositories[REPOSITORY] = {key: data for key, data in self.files.items() if key != name}
            self.check_fails(1, says)

    def test_a_busy_hub_is_given_the_time_it_asks_for(self):
        self.fault("/main", Answer(429, {"Retry-After": "2"}))
        begin = time.monotonic()
        self.pull()
        self.assertGreater(time.monotonic() - begin, 2)
        self.assertEqual(len(self.hub.of("/main")), 2)
        self.fault("/main", Answer(429, {"Retry-After": "600"}))
        self.check_fails(1, "busy", "600 s", arguments=("pull", REPOSITORY, "--force"))

    def test_failures_of_the_hub_are_tried_again_and_not_for_ever(self):
        self.fault("/main", Answer(500), Answer(503), Answer(408), Answer(502))
        self.pull()
        self.assertEqual(len(self.hub.of("/main")), 5)
        self.fault("/main", *[Answer(500)] * 10)
        self.check_fails(1, "500", arguments=("pull", REPOSITORY, "--force"))
        self.assertEqual(len(self.hub.of("/main")), 10)
        self.fault("/main", Answer(418))
        self.check_fails(1, "418", arguments=("pull", REPOSITORY, "--force"))
        self.assertEqual(len(self.hub.of("/main")), 11)

    def test_a_silent_connection_is_given_up(self):
        hold = threading.Event()
        self.addCleanup(hold.set)
        self.fault(WEIGHTS, *[None, self.cut(0.1, hold=hold)] * 5)
        self.check_fails(1, "model.safetensors", HF_HUB_DOWNLOAD_TIMEOUT="1")

    def test_redirects_end(self):
        self.hub.fault = lambda request: Answer(302, {"Location": self.hub.url + "/round"})
        self.check_fails(1, "more than 5 redirects")
        self.assertEqual(len(self.hub.requests), 6)

    def test_redirects_lead_to_http_alone(self):
        for target, says in (("file:///etc/passwd", "found one to file"), ("ftp://127.0.0.1/x", "found one to ftp"),
                             ("", "found none")):
            self.hub.fault = lambda request, target=target: Answer(302, {"Location": target} if target else {})
            self.check_fails(1, says)

    def test_the_token_goes_to_the_hub_alone(self):
        self.pull(HF_TOKEN="secret\n")
        hosts = {(request.host, request.headers.get("authorization")) for request in self.hub.requests}
        self.assertEqual(hosts, {("127.0.0.1", "Bearer secret"), ("127.0.0.2", None)})
        # Another port is another server.
        other = FakeHub({REPOSITORY: self.files})
        self.addCleanup(other.close)
        self.hub.fault = lambda request: Answer(307, {"Location": other.url + request.path + "?" + request.query})
        self.pull("--force", HF_TOKEN="secret")
        self.assertGreater(len(other.requests), 5)
        self.assertEqual({request.headers.get("authorization") for request in other.requests}, {None})
        # A path of the same server is the same.
        self.hub.requests.clear()
        self.hub.fault = lambda request: None if "blobs" not in request.query or "again" in request.query else Answer(
            301, {"Location": request.path + "?again&" + request.query})
        self.pull("--force", HF_TOKEN="secret")
        self.assertEqual(self.hub.requests[1].headers["authorization"], "Bearer secret")

    def test_two_processes_download_once(self):
        self.hub.rate = 300_000
        processes = [self.start("pull", REPOSITORY, "--json") for _ in range(3)]
        results = []
        for process in processes:
            out, err = process.communicate(timeout=120)
            self.assertEqual((process.returncode, err), (0, ""))
            results.append(json.loads(out)["downloaded"])
        self.assertEqual(sorted(results), [False, False, True])
        self.assertEqual(len(self.hub.of(WEIGHTS)), 2)
        self.check_model()
        self.check_home("test/tiny-q8.safetensors")

    def test_a_lock_whose_holder_died_is_free(self):
        (self.home / ".pull").mkdir(parents=True)
        (self.home / ".pull/test%2Ftiny.lock").touch()
        self.pull()
        self.check_home("test/tiny-q8.safetensors")

    def test_waiting_for_another_process_can_be_interrupted(self):
        (self.home / ".pull").mkdir(parents=True)
        with open(self.home / ".pull/test%2Ftiny.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            process = self.start("pull", REPOSITORY)
            with self.assertRaises(subprocess.TimeoutExpired):
                process.wait(timeout=0.5)
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(timeout=10), -signal.SIGINT)
        self.assertEqual(self.hub.requests, [])

    def test_offline_asks_nobody(self):
        self.check_fails(1, "HF_HUB_OFFLINE", "test/tiny", HF_HUB_OFFLINE="1")
        self.check_fails(1, "TRANSFORMERS_OFFLINE", "test/tiny", TRANSFORMERS_OFFLINE="1")
        self.assertEqual(self.hub.requests, [])
        self.pull()
        asked = len(self.hub.requests)
        self.assertFalse(self.pull(HF_HUB_OFFLINE="1")["downloaded"])
        self.assertEqual(len(self.hub.requests), asked)

    def test_impossible_environments_are_refused(self):
        for environment, says in (({"HF_ENDPOINT": "ftp://127.0.0.1"}, "HF_ENDPOINT"),
                                  ({"HF_ENDPOINT": "http://user:word@127.0.0.1"}, "HF_ENDPOINT"),
                                  ({"HF_TOKEN": "secret\r\nX-Other: 1"}, "HF_TOKEN"),
                                  ({"HF_HUB_DOWNLOAD_TIMEOUT": "soon"}, "soon")):
            self.check_fails(2, says, **environment)
        self.assertEqual(self.hub.requests, [])

    def test_malformed_listings_are_refused(self):
        good = self.hub.listing(REPOSITORY)
        config = next(entry for entry in good["siblings"] if entry["rfilename"] == "config.json")
        cases = [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100000, b'{"a":' * 10000, b" " * (2 << 20)]
        for changes in ({"sha": None}, {"sha": "main"}, {"sha": "../" * 13 + "x"}, {"sha": COMMIT.upper()},
                        {"siblings": None}, {"siblings": {}}, {"siblings": [1, None, [], "config.json"]},
                        {"siblings": [{"rfilename": 7}]},
                        {"siblings": good["siblings"] + [{**config, "size": 2}]},
                        {"siblings": [{**config, "size": 1 << 40}] + good["siblings"]},
                        {"siblings": [{**config, "lfs": {"sha256": "x/../.."}}] + good["siblings"]}):
            cases.append(json.dumps({**good, **changes}).encode())
        accepted = 0
        for body in cases:
            self.fault("/main", Answer(200, {}, body))
            result = self.run_cli("pull", REPOSITORY, "--force")
            accepted += result.returncode == 0
            self.assertIn(result.returncode, (0, 1), result)
        self.assertEqual(accepted, 1)  # Of two entries for one file the first counts.
        self.check_home("test/tiny-q8.safetensors")

    def test_names_of_a_server_lead_nowhere(self):
        hostile = ["../../evil", "/tmp/evil", "..", "a/../../../evil", "model.safetensors/../../evil", "\u0000",
                   "\u001b[2J"]
        listing = self.hub.listing(REPOSITORY)
        listing["siblings"] = [{"rfilename": name, "size": 1} for name in hostile] + listing["siblings"]
        self.fault("/main", Answer(200, {}, json.dumps(listing).encode()))
        self.pull()
        self.assertEqual(files_in(self.home.parent), ["models/test/tiny-q8.safetensors"])
        self.assertFalse([request for request in self.hub.requests if "evil" in request.path])
        for name in ("a/b/c", "a/../b", ".hidden/x", "a b/c", "a/b?c", "a/b#c", "test/", "-/"):
            self.check_fails(2, arguments=("pull", "--", name))

    def test_a_model_that_thimble_does_not_run_is_known_before_its_weights_come(self):
        self.files["config.json"] = self.files["config.json"].replace(b'"bert"', b'"gpt2"')
        self.check_fails(1, "gpt2")
        self.assertEqual(self.hub.of(WEIGHTS), [])
        self.check_home()

    def test_no_server(self):
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            self.check_fails(1, "connect", HF_ENDPOINT=f"http://127.0.0.1:{closed.getsockname()[1]}")


@need.unless(shutil.which("openssl"), "openssl, to make a certificate")
class Https(HubTest):
    def setUp(self):
        super().setUp()
        self.key, self.certificate = f"{temporary.name}/key.pem", f"{temporary.name}/certificate.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                        "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", self.key, "-out",
                        self.certificate], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        self.hub.hub.socket = context.wrap_socket(self.hub.hub.socket, server_side=True)
        self.url = self.hub.url.replace("http:", "https:")

    def test_a_certificate_that_nobody_vouches_for_is_refused(self):
        self.check_fails(1, "certificate", HF_ENDPOINT=self.url, HF_TOKEN="secret")
        self.assertEqual(self.hub.requests, [])

    def test_one_that_the_system_trusts_is_taken_but_no_way_back_to_http(self):
        trusted = "/etc/ssl/certs/ca-certificates.crt"
        command = ["unshare", "-m", "sh", "-c", f"mount --bind {self.certificate} {trusted} && exec \"$@\"", "sh"]
        if subprocess.run([*command, "true"], capture_output=True).returncode != 0:
            self.skipTest("needs root to trust a certificate for one process")
        result = subprocess.run([*command, CLI, "pull", REPOSITORY], capture_output=True, text=True, timeout=120,
                                env=self.environment({"HF_ENDPOINT": self.url, "HF_TOKEN": "secret"}))
        self.assertEqual(result.returncode, 1)
        self.assertIn("expected a redirect to https, found one to http", result.stderr)
        self.assertEqual({request.headers["authorization"] for request in self.hub.requests}, {"Bearer secret"})
        self.assertEqual(self.hub.requests[-1].status, 302)


class FullDisk(HubTest):
    def setUp(self):
        super().setUp()
        self.home.mkdir()
        self.limit = None
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", self.home], capture_output=True)
        if mounted.returncode == 0:
            self.addCleanup(subprocess.run, ["umount", self.home], check=True)
        else:  # A file that may not grow is the same to a program.
            self.limit = 300 << 10

    def run_cli(self, *arguments, cwd=None, **environment):
        def prepare():
            if self.limit:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (self.limit, self.limit))
        return subprocess.run([CLI, *arguments], capture_output=True, text=True, timeout=120,
                              env=self.environment(environment), preexec_fn=prepare, restore_signals=False)

    def test_is_said_and_leaves_nothing(self):
        print("tmpfs" if self.limit is None else "RLIMIT_FSIZE", end=" ")
        self.check_fails(1, "cannot write", "model.safetensors",
                         "No space left on device" if self.limit is None else "File too large")
        self.check_home()

    def test_while_converting(self):
        small = {key: data for key, data in self.files.items() if key != "model.safetensors"}
        self.hub.repositories[REPOSITORY] = {**small, "model.safetensors": half_of(self.files["model.safetensors"])}
        self.check_fails(1, "tiny-fp32", arguments=("pull", REPOSITORY, "--dtype", "fp32"))
        self.check_home()


def half_of(weights):
    """The same file with its tensors as BF16, which is half as large."""
    length = int.from_bytes(weights[:8], "little")
    header = json.loads(weights[8:8 + length])
    data, result = weights[8 + length:], b""
    for name, tensor in sorted(((name, tensor) for name, tensor in header.items() if name != "__metadata__"),
                               key=lambda item: item[1]["data_offsets"]):
        begin, end = tensor["data_offsets"]
        values = b"".join(data[i + 2:i + 4] for i in range(begin, end, 4))
        header[name] = {**tensor, "dtype": "BF16", "data_offsets": [len(result), len(result) + len(values)]}
        result += values
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + result


def onnx_of(weights):
    """The graph that an exporter makes of a test model: two layers, weights as initializers with meaningless names."""
    length = int.from_bytes(weights[:8], "little")
    header = json.loads(weights[8:8 + length])
    nodes, tensors = [], []

    def varint(value):
        text = b""
        while value > 127:
            text += bytes([value & 127 | 128])
            value >>= 7
        return text + bytes([value])

    def number(field, value):
        return varint(field << 3) + varint(value)

    def text(field, value):
        value = value.encode() if isinstance(value, str) else value
        return varint(field << 3 | 2) + varint(len(value)) + value

    def node(op, *inputs, attributes=b""):
        output = f"t{len(nodes)}"
        nodes.append(text(1, b"".join(text(1, name) for name in inputs) + text(2, output) + text(4, op) + attributes))
        return output

    def real_attribute(name, value):
        return text(5, text(1, name) + varint(2 << 3 | 5) + struct.pack("<f", value) + number(20, 1))

    def list_attribute(name, values):
        return text(5, text(1, name) + b"".join(number(8, value) for value in values) + number(20, 7))

    def constant(data, shape, data_type):
        result = f"w{len(tensors)}"
        tensors.append(text(5, b"".join(number(1, size) for size in shape) + number(2, data_type) + text(9, data) +
                            text(8, result)))
        return result

    def integers(*values):
        return constant(struct.pack(f"<{len(values)}q", *values), [len(values)], 7)

    def real(value):
        return constant(struct.pack("<f", value), [], 1)

    def weight(name, transposed=False):
        tensor = header[name]
        begin, end = tensor["data_offsets"]
        data, shape = weights[8 + length + begin:8 + length + end], tensor["shape"]
        if transposed:
            rows, columns = shape
            data = b"".join(data[4 * (i * columns + j):4 * (i * columns + j + 1)]
                            for j in range(columns) for i in range(rows))
            shape = [columns, rows]
        return constant(data, shape, 1)

    def linear(x, name):
        return node("Add", node("MatMul", x, weight(name + ".weight", True)), weight(name + ".bias"))

    def norm(x, name):
        return node("LayerNormalization", x, weight(name + ".weight"), weight(name + ".bias"),
                    attributes=real_attribute("epsilon", 1e-12))

    def heads(x, *order):
        return node("Transpose", node("Reshape", x, integers(0, 0, 2, 32)), attributes=list_attribute("perm", order))

    tokens = node("Gather", node("Shape", "input_ids"), integers(1))
    places = node("Slice", integers(*range(128)), integers(0), tokens)
    absent = node("Sub", real(1), node("Cast", "attention_mask", attributes=text(5, text(1, "to") + number(3, 1) +
                                                                                    number(20, 2))))
    mask = node("Mul", node("Unsqueeze", absent, integers(1, 2)), real(-10000))
    x = node("Gather", weight("embeddings.word_embeddings.weight"), "input_ids")
    x = node("Add", x, node("Gather", weight("embeddings.token_type_embeddings.weight"), "token_type_ids"))
    x = norm(node("Add", x, node("Gather", weight("embeddings.position_embeddings.weight"), places)),
             "embeddings.LayerNorm")
    for layer in range(2):
        name = f"encoder.layer.{layer}."
        q, v = (heads(linear(x, name + "attention.self." + part), 0, 2, 1, 3) for part in ("query", "value"))
        k = heads(linear(x, name + "attention.self.key"), 0, 2, 3, 1)
        y = node("MatMul", node("Softmax", node("Add", node("Div", node("MatMul", q, k), real(32 ** .5)), mask)), v)
        y = node("Transpose", y, attributes=list_attribute("perm", (0, 2, 1, 3)))
        y = linear(node("Reshape", y, integers(0, 0, 64)), name + "attention.output.dense")
        x = norm(node("Add", y, x), name + "attention.output.LayerNorm")
        y = linear(x, name + "intermediate.dense")
        y = node("Mul", node("Mul", y, node("Add", node("Erf", node("Div", y, real(2 ** .5))), real(1))), real(.5))
        x = norm(node("Add", linear(y, name + "output.dense"), x), name + "output.LayerNorm")
    inputs = [text(11, text(1, name)) for name in ("input_ids", "attention_mask", "token_type_ids")]
    nodes.append(text(1, text(1, x) + text(2, "last_hidden_state") + text(4, "Identity")))
    opset = text(8, number(2, 17))
    return number(1, 8) + text(7, b"".join(nodes + tensors + inputs) + text(12, text(1, "last_hidden_state"))) + opset


if __name__ == "__main__":
    unittest.main()
