#!/usr/bin/env python3
"""Writes tests/fixtures/unigram: small Unigram tokenizers, and the ids and offsets that the Rust library gives for them.

Needs the Python packages `tokenizers`, which is that library, and `sentencepiece`, which trains them and compiles their
charsmap: of the rules of nmt_nfkc those for the characters of the texts.
"""

import io
import json
import pathlib
import random
import struct
import sys
import tempfile

import sentencepiece
import tokenizers
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from tokenizer import INVALID, LONG, ROOT, TEXTS, byte_ranges  # noqa: E402

WRITTEN_BY = "scripts/goldens/unigram.py"
MARK = "\u2581"
# A greeting or so in 50 languages.
LANGUAGES = [
    "The night train leaves at nine.", "Der Nachtzug f\u00e4hrt um neun.", "Le train de nuit part \u00e0 neuf heures.",
    "El tren nocturno sale a las nueve.", "Il treno notturno parte alle nove.", "O comboio parte \u00e0s nove.",
    "De nachttrein vertrekt om negen uur.", "Nattoget g\u00e5r klokken ni.", "Natt\u00e5get g\u00e5r klockan nio.",
    "Nattoget k\u00f8rer klokken ni.", "Y\u00f6juna l\u00e4htee yhdeks\u00e4lt\u00e4.", "\u00d6\u00f6rong v\u00e4ljub kell \u00fcheksa.",
    "Naktinis traukinys i\u0161vyksta devint\u0105.", "Nakts vilciens atiet deviņos.", "Poci\u0105g nocny odje\u017cd\u017ca o dziewi\u0105tej.",
    "No\u010dn\u00ed vlak odj\u00ed\u017ed\u00ed v dev\u011bt.", "No\u010dn\u00fd vlak odch\u00e1dza o deviatej.", "No\u0107ni vlak polazi u devet.",
    "Az \u00e9jszakai vonat kilenckor indul.", "Trenul de noapte pleac\u0103 la nou\u0103.", "Treni i nat\u00ebs niset n\u00eb n\u00ebnt\u00eb.",
    "Gece treni dokuzda kalk\u0131yor.", "Gec\u0259 qatar\u0131 doqquzda yola d\u00fc\u015f\u00fcr.", "Tungi poyezd to\u02bbqqizda jo\u02bbnaydi.",
    "\u041d\u043e\u0447\u043d\u043e\u0439 \u043f\u043e\u0435\u0437\u0434 \u0432 \u0434\u0435\u0432\u044f\u0442\u044c.", "\u041d\u0456\u0447\u043d\u0438\u0439 \u043f\u043e\u0457\u0437\u0434 \u043e \u0434\u0435\u0432'\u044f\u0442\u0456\u0439.",
    "\u041d\u043e\u0449\u043d\u0438\u044f\u0442 \u0432\u043b\u0430\u043a \u0442\u0440\u044a\u0433\u0432\u0430.", "\u041d\u043e\u045c\u043d\u0438\u043e\u0442 \u0432\u043e\u0437.", "\u0422\u04af\u043d\u0433\u0456 \u043f\u043e\u0439\u044b\u0437.",
    "\u03a4\u03bf \u03bd\u03c5\u03c7\u03c4\u03b5\u03c1\u03b9\u03bd\u03cc \u03c4\u03c1\u03ad\u03bd\u03bf \u03c6\u03b5\u03cd\u03b3\u03b5\u03b9.", "\u0533\u056b\u0577\u0565\u0580\u0561\u0575\u056b\u0576 \u0563\u0576\u0561\u0581\u0584\u0568.",
    "\u10e6\u10d0\u10db\u10d8\u10e1 \u10db\u10d0\u10e2\u10d0\u10e0\u10d4\u10d1\u10d4\u10da\u10d8.", "\u05d4\u05e8\u05db\u05d1\u05ea \u05d9\u05d5\u05e6\u05d0\u05ea \u05d1\u05ea\u05e9\u05e2.",
    "\u064a\u063a\u0627\u062f\u0631 \u0627\u0644\u0642\u0650\u0637\u0627\u0631\u064f \u0641\u064a \u0627\u0644\u062a\u0627\u0633\u0639\u0629.", "\u0642\u0637\u0627\u0631 \u0634\u0628 \u0633\u0627\u0639\u062a \u0646\u0647 \u0645\u06cc\u200c\u0631\u0648\u062f.",
    "\u0631\u0627\u062a \u06a9\u06cc \u0679\u0631\u06cc\u0646 \u0646\u0648 \u0628\u062c\u06d2\u06d4", "\u0930\u093e\u0924 \u0915\u0940 \u0930\u0947\u0932\u0917\u093e\u0921\u093c\u0940 \u0928\u094c \u092c\u091c\u0947\u0964", "\u09b0\u09be\u09a4\u09c7\u09b0 \u099f\u09cd\u09b0\u09c7\u09a8\u0964",
    "\u0b87\u0bb0\u0bb5\u0bc1 \u0bb0\u0baf\u0bbf\u0bb2\u0bcd.", "\u0c30\u0c3e\u0c24\u0c4d\u0c30\u0c3f \u0c30\u0c48\u0c32\u0c41.", "\u0cb0\u0cbe\u0ca4\u0ccd\u0cb0\u0cbf \u0cb0\u0cc8\u0cb2\u0cc1.", "\u0d30\u0d3e\u0d24\u0d4d\u0d30\u0d3f \u0d1f\u0d4d\u0d30\u0d46\u0d2f\u0d3f\u0d7b.",
    "\u0e23\u0e16\u0e44\u0e1f\u0e01\u0e25\u0e32\u0e07\u0e04\u0e37\u0e19\u0e2d\u0e2d\u0e01\u0e40\u0e01\u0e49\u0e32\u0e42\u0e21\u0e07\u0e04\u0e48\u0e33", "\u0ea5\u0ebb\u0e94\u0ec4\u0e9f\u0e81\u0eb2\u0e87\u0e84\u0eb7\u0e99", "\u101b\u1011\u102c\u1038\u100a", "\u179a\u1790\u1797\u17d2\u179b\u17be\u1784\u1799\u1794\u17cb",
    "\u591c\u884c\u5217\u8f66\u4e5d\u70b9\u5f00\u3002", "\u591c\u884c\u5217\u8eca\u306f\uff19\u6642\u306b\u51fa\u307e\u3059\u3002", "\uc57c\uac04\uc5f4\ucc28\ub294 \uc544\ud649 \uc2dc\uc5d0.", "T\u00e0u \u0111\u00eam ch\u1ea1y l\u00fac ch\u00edn gi\u1edd.",
]
MORE = [
    "\u2581", "\u2581\u2581a", "a \u2581 b", "  two  spaces  ", " lead", "trail ", "a\nb\r\nc\td", "``quoted''", "\x01x", "a\x01b",
    "\u2122\x1eg", "\ufb01\ufb02 \uff21\uff42\uff43\u3000\uff11", "\u2460 \u00bd \u32d8", "\u0e33 \u0e01\u0e33", "e\u0301 \u0301 a\u0301\u0323",
    "\r\n\r\n", "\u00a9\ufe0f \u00ae\u200d\u00a9", "\u0600a \u06001", "\U000110bda", "\u0915\u094d\u0915\u0301", "<mask> a <mask>b", "a<mask>", "  <mask>  ",
    "<unk> x<unk>y", "<s>a</s>", "<0x41>", "Foo foo FOO", "the other", "<x>  y", "\u1100\u1161\u11a8 \uac00\u11a8", "\u0344\u0308",
    "-" * 300, "ab" * 200, "\u54c8" * 400, "\u0378" * 50, "a" * 700 + " b",
]


def all_rules(charsmap):
    """The keys and values of a precompiled charsmap."""
    size = struct.unpack_from("<I", charsmap)[0]
    units = struct.unpack_from(f"<{size // 4}I", charsmap, 4)
    text = charsmap[4 + size:]
    rules, todo = {}, [(0 ^ (units[0] >> 10) << ((units[0] & 512) >> 6), b"")]
    while todo:
        place, key = todo.pop()
        for byte in range(1, 256):
            child = place ^ byte
            if child >= len(units) or units[child] & 0x800000FF != byte:
                continue
            unit = units[child]
            below = child ^ (unit >> 10) << ((unit & 512) >> 6)
            if unit >> 8 & 1:
                begin = units[below] & 0x7FFFFFFF
                rules[(key + bytes([byte])).decode()] = text[begin:text.index(0, begin)].decode()
            todo.append((below, key + bytes([byte])))
    return rules


def train(lines, vocab_size, **options):
    found = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=found, vocab_size=vocab_size, model_type="unigram", num_threads=1,
        hard_vocab_limit=False, minloglevel=2, **options)
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString(found.getvalue())
    return model


def small_charsmap(lines, texts):
    rules = all_rules(train(lines, 600, normalization_rule_name="nmt_nfkc").normalizer_spec.precompiled_charsmap)
    used = set("".join(texts))
    used |= {c for text in texts for value in (rules.get(c, "") for c in text) for c in value}
    kept = {key: value for key, value in rules.items() if set(key) <= used}
    with tempfile.NamedTemporaryFile("w", suffix=".tsv", encoding="ascii") as file:
        for key, value in sorted(kept.items()):
            file.write("\t".join(" ".join(f"{ord(c):X}" for c in part) for part in (key, value)) + "\n")
        file.flush()
        return train(lines, 600, normalization_rule_tsv=file.name).normalizer_spec.precompiled_charsmap


def build(vocabulary, normalizer, pre_tokenizer, added=(), **options):
    vocabulary = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)] + vocabulary + [("<mask>", 0.0)]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=3, **options))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    if pre_tokenizer is not None:
        tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.add_special_tokens([AddedToken(name, normalized=False) for name in ("<s>", "<pad>", "</s>", "<unk>")])
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=False)])
    tokenizer.add_tokens(list(added))
    single, special = ["<s>", "$A", "</s>"], [("<s>", 0), ("</s>", 2)]
    tokenizer.post_processor = processors.TemplateProcessing(single=single, pair=single + ["$B", "</s>"],
                                                             special_tokens=special)
    return tokenizer


def variants():
    folder = ROOT / "src/convert/texts"
    own = "".join((folder / name).read_text(encoding="utf-8") for name in ("calibration.txt", "receipt.txt"))
    lines = [line for line in own.split("\n") if line] + LANGUAGES * 3
    charsmap = normalizers.Precompiled(small_charsmap(lines, TEXTS + LANGUAGES + MORE))
    plain = [(piece.piece, piece.score) for piece in train(lines, 640, character_coverage=0.98, normalization_rule_name="nmt_nfkc").pieces[3:]]
    folded = train(lines, 690, normalization_rule_name="nmt_nfkc_cf", byte_fallback=True, character_coverage=0.98)
    folded = [(piece.piece, piece.score) for piece in folded.pieces[3:]]
    rust = Tokenizer(models.Unigram())
    rust.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC()])
    rust.pre_tokenizer = pre_tokenizers.Metaspace()
    rust.train_from_iterator(lines, trainers.UnigramTrainer(vocab_size=500, show_progress=False, unk_token="<unk>"))
    trained = [tuple(pair) for pair in json.loads(rust.to_str())["model"]["vocab"] if pair[0] != "<unk>"]

    def meta(scheme="always", split=True):
        return pre_tokenizers.Metaspace(prepend_scheme=scheme, split=split)

    def words(scheme="always"):
        return pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), meta(scheme)])

    def sequence(*parts):
        return normalizers.Sequence(list(parts))

    def replace(pattern, content):
        return normalizers.Replace(pattern, content)

    spaces = replace(Regex(" {2,}"), " ")
    right = normalizers.Strip(left=False, right=True)
    added = [AddedToken("Foo", lstrip=True, rstrip=True, normalized=True), AddedToken("<x>", rstrip=True, normalized=False),
             AddedToken("the", lstrip=True, single_word=True, normalized=True)]
    return {
        "xlmr": build(plain, charsmap, words()),
        "e5": build(plain, sequence(charsmap, spaces), meta()),
        "t5": build(plain, sequence(charsmap, right, replace(Regex(" {2,}"), MARK)), meta("first")),
        "albert": build(folded, sequence(replace("``", '"'), replace("''", '"'), normalizers.NFKD(),
                                         normalizers.StripAccents(), normalizers.Lowercase(), charsmap, spaces), meta()),
        "bytes": build(folded, sequence(normalizers.Lowercase(), normalizers.Strip(), charsmap, spaces),
                       meta("first", False), byte_fallback=True),
        "slow": build(folded, sequence(charsmap, replace(Regex(r"\A +| +\z"), ""), spaces, replace(" ", MARK),
                                       replace(Regex(r"\A" + MARK), MARK + MARK)), meta("always", False),
                      byte_fallback=True),
        "never": build(plain, charsmap, words("never")),
        "added": build(plain, sequence(normalizers.Lowercase(), charsmap), meta("first"), added),
        "trained": build(trained, sequence(normalizers.Nmt(), normalizers.NFKC(), spaces), meta()),
        "composed": build(plain, sequence(normalizers.NFC(), normalizers.Prepend("x")), None),
        "ordered": build(trained, sequence(normalizers.NFD(), replace(Regex(r"\s+"), " ")), meta("never", False)),
    }


# Where what is removed from the start of a text, or behind a character that became several, moves the places of all
# that follows in the library.
MOVED = ("\x01", "\x00", "\x1e", "\x7f", "\u200b")


WITH_OFFSETS = ("xlmr", "bytes", "trained")


def write_fixtures():
    folder = ROOT / "tests/fixtures/unigram"
    folder.mkdir(exist_ok=True)
    rng = random.Random(19)
    texts = TEXTS[::3] + LANGUAGES + MORE
    pool = sorted(set("".join(texts))) + LANGUAGES + MORE[:24] + [" "] * 60
    texts = texts + ["".join(rng.choice(pool) for _ in range(rng.choice([2, 5, 12]))) for _ in range(20)]
    goldens = {"library": f"tokenizers {tokenizers.__version__}", "written_by": WRITTEN_BY, "long": LONG.encode().hex(),
               "texts": [text.encode().hex() for text in texts], "invalid": [data.hex() for data in INVALID],
               "variants": {}}
    for name, tokenizer in variants().items():
        config = json.loads(tokenizer.to_str())
        config["decoder"] = None
        text = json.dumps(config, separators=(",", ":"))
        (folder / f"{name}.json").write_text(text + "\n", encoding="ascii")
        oracle = Tokenizer.from_str(text)
        trimmed = {token["content"] for token in config["added_tokens"] if token["lstrip"] or token["rstrip"]}
        ids, offsets = [], []
        for text in texts:
            found = oracle.encode(text)
            ids.append(" ".join(map(str, found.ids)))
            left_out = len(text) > 80 or any(character in text for character in MOVED)
            offsets.append(None if left_out else " ".join(map(str, byte_ranges(text, found, trimmed))))
        rows = [" ".join(map(str, oracle.encode(data.decode(errors="replace")).ids)) for data in INVALID]
        whole = oracle.encode(LONG).ids
        goldens["variants"][name] = {"ids": ids, "invalid": rows, "long": " ".join(map(str, whole))}
        if name in WITH_OFFSETS:
            goldens["variants"][name]["offsets"] = offsets
    text = json.dumps(goldens, separators=(",", ":")).replace('","', '",\n"')
    (folder / "goldens.json").write_text(text + "\n", encoding="ascii")


if __name__ == "__main__":
    write_fixtures()
