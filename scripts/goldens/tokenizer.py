#!/usr/bin/env python3
"""Writes what the Rust library `tokenizers` does. Needs the Python package of that name, which is that library.

    scripts/goldens/tokenizer.py fixtures      tests/fixtures/tokenizer: small tokenizers, their ids and offsets
    scripts/goldens/tokenizer.py ranges        src/convert/unicode_ranges.inc: the code points of each class
    scripts/goldens/tokenizer.py graphemes TABLES   src/convert/grapheme_ranges.inc: how characters join in clusters
    scripts/goldens/tokenizer.py oracle TOKENIZER_JSON TEXTS OUT      for tests/parity/tokenizer.mjs

TABLES is src/tables.rs of the crate unicode-segmentation of that library. The ids of whole folders (folders.json) are in folders.py. TEXTS is a JSON file (.gz or not) with "corpora": {name:
[{"text"}]}. OUT has a line of JSON for each text: its ids, its offsets in UTF-16 units, two for each token, and the ids and
types of the text with the next one as a pair.
"""

import gzip
import json
import pathlib
import random
import re
import sys
import unicodedata

import tokenizers
from tokenizers import AddedToken, Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import NFD, NFKD, BertNormalizer, StripAccents
from tokenizers.pre_tokenizers import BertPreTokenizer, ByteLevel

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
WRITTEN_BY = "scripts/goldens/tokenizer.py"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = (
    "the cat sat on mat hello world embed ##ding ##s ##ing ##ed token ##izer un ##aff ##able new york cafe naive "
    "resume strasse fi ##nd 100 20 ##26 don t isn ok a ##b ab abc ##c ##cd abcd"
).split()
# Characters of several scripts, marks among them, so that ids show what the normaliser made of a text.
CHARACTERS = (
    [chr(c) for c in range(0x21, 0x7F)]
    + list("\u00e9\u00e8\u00fc\u00df\u00c9\u00c8\u00dc\u00d8\u00f8")
    + list("\u0131\u0130\u0141\u0142\u01c5\u01c6\u01c4\ufb01\u00a1\u00bf\u00ab\u00bb")
    + list("\u0301\u0307\u0308\u0345\u03a3\u03c3\u03c2\u039f\u03bf\u0394\u03b4\u0416\u0436\u0419\u0439\u0438\u0306")
    + list("\u4e2d\u6587\u65e5\u672c\u8c48\uf900\u3042\u30a2\u30fb\u3001\u3002\u1100\u1161\u11a8\u1102\ud55c\uac01")
    + list("\u0e01\u0e31\u0e32\u0e33\u0905\u0928\u093f\u094d\u0301\u0323\u0338\u302e\u302f\u1b05\u1b44\u1b13")
    + list("\U0001d157\U0001d165\U0001d16d\U0001d172\u20ac\u2014\u201c\u201d\u2026\u200d\U0001f600\U0001f468\u0378")
    + list("\U0002b920\U0002b820\u1f71\u03ac\u03b1\u1e9e\u1c89\u1c8a\t\u00a0\u3000\x00\x01\ufffd")
)


def vocabulary(uppercase):
    pieces = list(SPECIAL) + WORDS
    for character in CHARACTERS:
        pieces += [character, "##" + character]
    if uppercase:
        pieces += ["The", "HELLO", "Caf", "New", "York", "##\u00e9"]
    return {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}


def merge(base, patch):
    """RFC 7396, so that tests make the same files."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(base) if isinstance(base, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def added(content, number, **options):
    flags = dict.fromkeys(["single_word", "lstrip", "rstrip", "normalized", "special"], False)
    return {"id": number, "content": content, **flags, **options}


def tokenizer(normalizer, pieces, more=(), bert_processing=False):
    special = {name: {"id": name, "ids": [pieces[name]], "tokens": [name]} for name in ("[CLS]", "[SEP]")}
    single = [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
              {"SpecialToken": {"id": "[SEP]", "type_id": 0}}]
    post = {"type": "TemplateProcessing", "single": single, "special_tokens": special,
            "pair": single + [{"Sequence": {"id": "B", "type_id": 1}}, {"SpecialToken": {"id": "[SEP]", "type_id": 1}}]}
    if bert_processing:
        post = {"type": "BertProcessing", "sep": ["[SEP]", pieces["[SEP]"]], "cls": ["[CLS]", pieces["[CLS]"]]}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [added(name, pieces[name], special=True) for name in SPECIAL] + list(more),
        "normalizer": {"type": "BertNormalizer", **normalizer},
        "pre_tokenizer": {"type": "BertPreTokenizer"}, "post_processor": post, "decoder": None,
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 20, "vocab": pieces},
    }


def variants():
    uncased = dict(clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=True)
    stripped = dict(clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False)
    small, large = vocabulary(False), vocabulary(True)
    n = len(small)
    tokens = [added("<x>", n, lstrip=True, rstrip=True), added("<x>y", n + 1),
              added("abcd", small["abcd"], normalized=True),
              added("Caf\u00c9", n + 2, normalized=True), added("ab cat", n + 3, normalized=True)]
    words = [added("<x>", n, single_word=True), added("caf\u00e9", n + 1, single_word=True),
             added("ab cat", n + 2, single_word=True, normalized=True, lstrip=True),
             added("ab", small["ab"], normalized=True), added("Hello", n + 3, single_word=True, normalized=True)]

    def sequence(*parts, **changes):
        return {**tokenizer({}, large), "normalizer": {"type": "Sequence", "normalizers": list(parts)}, **changes}

    def part(kind, **options):
        return {"type": kind, **options}

    def replace(character, content):
        return part("Replace", pattern={"String": character}, content=content)

    bert, cased = part("BertNormalizer", **uncased), part("BertNormalizer", **{**uncased, "lowercase": False})
    splits = part("Sequence", pretokenizers=[part("WhitespaceSplit"), part("Punctuation", behavior="Isolated")])
    return {
        "single_word": tokenizer(uncased, small, words),
        "lower_first": sequence(part("Lowercase"), cased),
        "lower_last": sequence(cased, part("Lowercase"), pre_tokenizer=splits),
        "lower_twice": sequence(part("Lowercase"), bert),
        "nfd": sequence(part("NFD"), part("Lowercase"), part("Strip", strip_left=True, strip_right=True)),
        "nfd_stripped": sequence(part("NFD"), part("Lowercase"), part("StripAccents")),
        "nfkd": sequence(part("NFKD"), pre_tokenizer=part("WhitespaceSplit")),
        "nfkd_cleaned": sequence(part("NFKD"), part("StripAccents"), cased),
        "nfkc_bert": sequence(part("NFKC"), bert),
        "nfc_bert": sequence(part("NFC"), part("Lowercase"), part("Sequence", normalizers=[bert])),
        "stripped_only": sequence(part("StripAccents")),
        "replaced": sequence(replace("-", " "), replace("\u00e9", "e\u0301"), part("NFD"), replace("\u0301", ""),
                             replace("\u0308", "\u0323"), part("Lowercase")),
        "uncased": tokenizer(uncased, small),
        "cased": tokenizer({**uncased, "lowercase": False}, large, bert_processing=True),
        "stripped": tokenizer(stripped, large),
        "lowered": tokenizer({**uncased, "strip_accents": False}, large),
        "added": tokenizer(uncased, small, tokens),
    }


LONG = "The cat sat on the mat; hello, world! unaffable embeddings, caf\u00e9 abcd <x>y \u4e2d\u6587 "
LONG += "x" * 30 + " ok."

TEXTS = [
    "", " ", " \t\n\r ", "\u00a0\u3000\u2028", "hello world", "Hello, World!", "HELLO", "the  cat\tsat\non\rmat",
    "unaffable", "unaffably",
    "embedding embeddings embedded", "tokenizers", "abcd abcde ab abc abcc", "don't isn't", "100 2026 20.26",
    "a_b-c/d\\e", "$+<=>^`|~",
    # Accents, composed and not, and case that changes length or depends on place.
    "caf\u00e9 cafe\u0301 CAF\u00c9", "na\u00efve r\u00e9sum\u00e9", "stra\u00dfe STRASSE \u1e9e",
    "\u0130stanbul \u0131\u0130iI", "\u039f\u03a3 \u03c3\u03c2 \u03a3",
    "\u01c4 \u01c5 \u01c6", "\ufb01nd", "\u00d8\u00f8 \u0141\u0142", "\u0419\u0439 \u0416", "\u1f71 \u03ac",
    "\u0344", "\u00a8 \u1fef \u037e", "\u2126 \u212b \u212a",
    # Ideographs, those that the library spaces and those that it does not, Kana, Hangul.
    "\u4e2d\u6587", "a\u4e2db", "\uf900\u8c48", "\u65e5\u672c\u3001\u3042\u30a2\u30fb\u3002",
    "\U0002b820\U0002b920", "a\U0002b820b\U0002b920c", "\ud55c\uac01 \uac00\ud7a3",
    "\u1100\u1161\u11a8", "x\uac01\u0301y",
    # Controls, joiners, unassigned, replacement character.
    "a\x00b", "\x00", "a\x01b\x7fc", "a\u200db\u200cc\ufeffd", "a\u0085b\u2028c\u200bd", "a\ufffdb",
    "\u0378a\u0378", "\ue000x\U000f0000y", "\U0001f600 \U0001f468\u200d\U0001f469",
    "\u00ad\u061c\u180e", "\U000e0001\U000e0100", "\u2014\u2026\u201c\u201d\u20ac\u00a1\u00bf\u00ab\u00bb",
    # Combining marks in and out of order, runs, marks alone, marks behind punctuation and spaces, marks that part runs.
    "a\u0301\u0323", "a\u0323\u0301", "\u0301", " \u0301a", ".\u0301a", "\u1b05\u1b44\u302e", "\u1b05\u302e\u1b44",
    "a\u302f\u1b44\u302e\u1b44", "\u0e01\u0e31\u0e33",
    "a\u302f\u0e31\u1b44", "a\u302f\u0301\u1b44", "a\u302f\x00\u1b44", "a\u302f\u200d\u1b44b",
    "\U0001d15e\U0001d16d\U0001d165", "\U0001d157\U0001d172\U0001d165\U0001d16d",
    "\U0001d160\U0001d165", "a" + "\u302f\u1b44" * 9, "a" + "\u302f\u1b44" * 12, "a" + "\u0301" * 60 + "b",
    "\u0905\u0928\u094d\u093f", ",\u302f\u1b44",
    # Long words: the limit is 20 characters, counted after normalisation.
    "a" * 19, "a" * 20, "a" * 21, "a" * 200, "\u00e9" * 20, "e\u0301" * 20, "e\u0301" * 21, "\uac01" * 6,
    "\uac01" * 7, "a" * 20 + "." + "b" * 21, "\u0130" * 11,
    # A piece that fails makes its word unknown, and only its word.
    "a\u00f1b", "cat\u2603sat cat", "##ing ##", "\u2603", "zq\u2603 ok",
    # Added tokens in the text.
    "[MASK]", "a[MASK]b", "[mask]", "[CLS] hello [SEP]", "[MASK", "[[MASK]]", "[MA[MASK]SK]", "[UNK][PAD]",
    "<x> <x>y<x", "a <x> b", "a  <x>  b<x>\u00a0<x>",
    "xabcdy ABCD abcd e", "x\u00c0bcd", "caf\u00e9s CAFE\u0301", "ab cat abcat ab  cat ab\ncat", "ab[MASK] cat",
    "ab\u0301 cat", "a\u0e31b cat", "ab ca\u0301t", "abcd\u302e",
    LONG,
]

INVALID = [
    b"\xff", b"a\xffb", b"\xc3", b"caf\xc3", b"\xc3\x28", b"\xe2\x82", b"\xe2\x82a", b"\xe2\x28\xa1",
    b"\xf0\x9f\x98", b"\xf0\x9f\x98 ok", b"\xf0\x28\x8c\xbc",
    b"\xed\xa0\x80x", b"\xc0\xafx", b"\xe0\x80\xafx", b"\xf0\x80\x80\xafx", b"\xf4\x90\x80\x80x",
    b"\xf8\x88\x80\x80\x80x", b"\x80\xbfcat", b"[MASK\xff]",
    b"\xe4\xb8[MASK]", b"\xf0\x9f[MASK]\xc3", b"a\xe2\x82\xe4\xb8\xadb", b"\xef\xbb\xbfcat",
    b"cat \xed\xbf\xbf\xed\xa0\x80",
]


def random_texts(count):
    rng = random.Random(20260101)
    pool = CHARACTERS + list("   ") * 20 + WORDS * 2 + ["[MASK]", "<x>", " ab cat", "abcd"]
    return ["".join(rng.choice(pool) for _ in range(rng.choice([2, 5, 12]))) for _ in range(count)]


def byte_ranges(text, encoding, trimmed):
    """Two numbers for each token: the bytes of `text` that it stands for. Of the tokens in `trimmed` the library has
    the spaces beside them in it, which are left out here."""
    places = [0]
    for character in text:
        places.append(places[-1] + len(character.encode()))
    numbers = []
    for token, (begin, end) in zip(encoding.tokens, encoding.offsets):
        if token.strip() in trimmed:
            begin += len(text[begin:end]) - len(text[begin:end].lstrip())
            end -= len(text[begin:end]) - len(text[begin:end].rstrip())
        numbers += [places[begin], places[end]]
    return numbers


# The library numbers marks before it drops some of them, so that after reordering it gives the others their places.
DROPPED_AND_REORDERED = ["a\u302f\u0301\u1b44", "a\u0301\u0323"]
# The tokenizers whose offsets are recorded, and pairs of texts.
WITH_OFFSETS = ["uncased", "cased", "added", "single_word", "nfkd_cleaned", "replaced"]
PAIRS = [["hello world", "the cat"], ["", "cat"], ["caf\u00e9 [MASK]", "a\u4e2db unaffable"], ["\ufb01nd", ""]]


def offsets(config):
    """Rows of a text in hexadecimal and its ranges, and of two texts, their ids, types and ranges."""
    oracle = Tokenizer.from_str(json.dumps(config))
    trimmed = {token["content"] for token in config["added_tokens"] if token["lstrip"] or token["rstrip"]}
    texts = [text for text in TEXTS if text not in DROPPED_AND_REORDERED]
    rows = [[text.encode().hex(), byte_ranges(text, oracle.encode(text), trimmed)] for text in texts]
    pairs = []
    for first, second in PAIRS:
        both = oracle.encode(first, second)
        ranges = []
        for i, sequence in enumerate(both.sequence_ids):
            one = [both.offsets[i]] if sequence is not None else [(0, 0)]
            text = second if sequence == 1 else first
            ranges += [len(text[:place].encode()) for place in one[0]]
        pairs.append([first.encode().hex(), second.encode().hex(), both.ids, both.type_ids, ranges])
    return {"rows": rows, "pairs": pairs}


def write_fixtures():
    folder = ROOT / "tests/fixtures/tokenizer"
    texts = TEXTS + random_texts(110)
    library = f"tokenizers {tokenizers.__version__}"
    goldens = {"library": library, "written_by": WRITTEN_BY, "variants": {}}
    for name, config in variants().items():
        (folder / f"{name}.json").write_text(json.dumps(config, separators=(",", ":")) + "\n", encoding="ascii")
        oracle = Tokenizer.from_str(json.dumps(config))
        rows = [[text.encode().hex(), oracle.encode(text).ids] for text in texts]
        rows += [[data.hex(), oracle.encode(data.decode(errors="replace")).ids] for data in INVALID]
        cuts, left_cuts = [], []
        for length in range(3, len(oracle.encode(LONG).ids) + 3):
            for direction, list_of in (("right", cuts), ("left", left_cuts)):
                oracle.enable_truncation(max_length=length, direction=direction)
                list_of.append([length, oracle.encode(LONG).ids])
                oracle.no_truncation()
        # Each row: the bytes of a text in hexadecimal, its ids. Each cut: the most ids allowed, those of the long text.
        goldens["variants"][name] = {"rows": rows, "long": LONG.encode().hex(), "cuts": cuts, "left_cuts": left_cuts}
    found = {"library": library, "written_by": WRITTEN_BY}
    found["variants"] = {name: offsets(config) for name, config in variants().items() if name in WITH_OFFSETS}
    for name, content in (("goldens", goldens), ("offsets", found)):
        text = json.dumps(content, separators=(",", ":")).replace("],[\"", "],\n[\"")
        (folder / f"{name}.json").write_text(text + "\n", encoding="ascii")


CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def normalizer(**options):
    off = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return BertNormalizer(**{**off, **options}).normalize_str


def select(predicate):
    """The ranges [first, last] of code points whose character satisfies `predicate`."""
    ranges = []
    for code_point in CODE_POINTS:
        if predicate(chr(code_point)):
            if ranges and ranges[-1][1] == code_point - 1:
                ranges[-1][1] = code_point
            else:
                ranges.append([code_point, code_point])
    return ranges


def lower_additions(lower):
    """[first, last, step, first's lower case] of the simple mappings that Unicode 14 lacks."""
    rows = []
    for code_point in CODE_POINTS:
        text = chr(code_point)
        mapped = lower(text)
        if mapped == text or unicodedata.category(text) != "Cn":
            continue
        if rows and code_point == rows[-1][1] + 1 and ord(mapped) - code_point == rows[-1][2] - rows[-1][0]:
            rows[-1][1] = code_point
        else:
            rows.append([code_point, code_point, ord(mapped)])
    return rows


def word_character():
    """Whether a single_word token is not seen beside a character."""
    seen = Tokenizer(WordPiece({"[UNK]": 0}, unk_token="[UNK]"))
    seen.add_tokens([AddedToken("-", single_word=True, normalized=False)])
    return lambda text: "-" not in seen.encode(text + "-").tokens


def write_ranges():
    nfd, nfkd, strip_marks = NFD().normalize_str, NFKD().normalize_str, StripAccents().normalize_str
    clean, strip, chinese, lower = (
        normalizer(**{name: True}) for name in ("clean_text", "strip_accents", "handle_chinese_chars", "lowercase")
    )
    pre_tokenize = BertPreTokenizer().pre_tokenize_str
    pieces = {chr(c): len(pre_tokenize("a" + chr(c) + "b")) for c in CODE_POINTS}
    decomposes = lambda text: nfd(text) != text
    split = ByteLevel(add_prefix_space=False).pre_tokenize_str
    nonspacing = lambda text: not decomposes(text) and strip(text) == ""
    # A character of a class other than 0 moves before or behind one of these two.
    mark = lambda text: nfd("a\u0345" + text) != "a\u0345" + text or nfd("a" + text + "\u0334") != "a" + text + "\u0334"
    tables = [
        ("kDropped", "Removed by clean_text.", select(lambda text: clean(text) == "")),
        ("kSpace", "White space of the pre-tokenizer.", select(lambda text: pieces[text] == 2)),
        ("kPunctuation", "Punctuation of the pre-tokenizer.", select(lambda text: pieces[text] == 3)),
        ("kChinese", "Surrounded with spaces by handle_chinese_chars.", select(lambda text: chinese(text) != text)),
        ("kNonspacing", "Removed by strip_accents.", select(nonspacing)),
        ("kDecomposes", "Have a canonical decomposition.", select(decomposes)),
        (
            "kMovingMarks",
            "Survive strip_accents and have a combining class other than 0.",
            select(lambda text: not decomposes(text) and not nonspacing(text) and mark(text)),
        ),
        (
            "kCombining",
            "Have a combining class other than 0.",
            select(lambda text: not decomposes(text) and mark(text)),
        ),
        ("kCompatible", "Have a compatibility decomposition.", select(lambda text: nfkd(text) != nfd(text))),
        ("kMarks", "Removed by StripAccents.", select(lambda text: strip_marks(text) == "")),
        ("kWordChars", "No single_word token is seen beside one.", select(word_character())),
        ("kLetters", "\\p{L} of ByteLevel, which takes what is in neither of the two, and is no white space, for the rest.",
         select(lambda text: len(split("a" + text)) == 1)),
        ("kNumbers", "\\p{N} of ByteLevel.", select(lambda text: len(split("1" + text)) == 1)),
    ]
    lines = [
        f"// Classes of code points in tokenizers {tokenizers.__version__}; written by {WRITTEN_BY}.",
        "",
        "// clang-format off",
    ]
    for name, what, ranges in tables:
        lines += [f"// {what}", f"constexpr CodePointRange {name}[] = {{"]
        cells = [f"{{0x{first:X}, 0x{last:X}}}" for first, last in ranges]
        line = "   "
        for cell in cells:
            if len(line) + len(cell) + 2 > 120:
                lines.append(line)
                line = "   "
            line += f" {cell},"
        lines += [line, "};", ""]
    lines += ["// Lower case of characters newer than Unicode 14: first, last, lower case of the first.",
              "constexpr LowerRange kLowerAdditions[] = {"]
    lines += [f"    {{0x{first:X}, 0x{last:X}, 0x{to:X}}}," for first, last, to in lower_additions(lower)]
    lines += ["};", "// clang-format on", ""]
    (ROOT / "src/convert/unicode_ranges.inc").write_text("\n".join(lines), encoding="ascii")
    for name, _, ranges in tables:
        print(name, len(ranges), "ranges,", sum(last - first + 1 for first, last in ranges), "code points")


def write_graphemes(tables):
    """The classes of grapheme clusters but those of Hangul syllables and regional indicators."""
    source = pathlib.Path(tables).read_text(encoding="utf-8")
    pair = r"\('\\u\{([0-9a-f]+)\}',\s*'\\u\{([0-9a-f]+)\}'"

    def table(name, more):
        return re.findall(pair + more, re.search("const " + name + r"[^=]*= &\[(.*?)\];", source, re.S).group(1))

    version = re.search(r"UNICODE_VERSION: [^=]*= \((\d+)", source).group(1)
    extends = {c for first, last in table("InCB_Extend_table", "") for c in range(int(first, 16), int(last, 16) + 1)}
    linkers = set(re.findall(r"'\\u\{([0-9A-F]+)\}'", re.search(r"fn is_incb_linker.*?\)\s*\}", source, re.S).group(0)))
    linkers = {int(c, 16) for c in linkers}
    names = {"CR": "CarriageReturn", "LF": "LineFeed", "SpacingMark": "Spacing", "ZWJ": "Joiner", "L": "LeadingJamo",
             "V": "VowelJamo", "T": "TrailingJamo", "Extended_Pictographic": "Pictograph", "InCB_Consonant": "Consonant"}
    rows = []
    for first, last, name in table("grapheme_cat_table", r",\s*GC_(\w+)"):
        if name in ("LV", "LVT", "Regional_Indicator"):
            continue
        for c in range(int(first, 16), int(last, 16) + 1):
            what = names.get(name, name)
            if name == "Extend":
                what = "Linker" if c in linkers else "Extend" if c in extends else "ExtendApart"
            if rows and rows[-1][1] == c - 1 and rows[-1][2] == what:
                rows[-1][1] = c
            else:
                rows.append([c, c, what])
    for c in list(range(0x20)) + [0x7F]:
        assert any(first <= c <= last for first, last, _ in rows), c
    lines = [f"// Classes of grapheme clusters in Unicode {version}; written by {WRITTEN_BY}.", "", "// clang-format off",
             "constexpr BreakRange kBreaks[] = {"]
    line = "   "
    for first, last, what in rows:
        cell = f" {{0x{first:X}, 0x{last:X}, BreakClass::k{what}}},"
        if len(line) + len(cell) > 120:
            lines.append(line)
            line = "   "
        line += cell
    (ROOT / "src/convert/grapheme_ranges.inc").write_text("\n".join(lines + [line, "};", "// clang-format on", ""]),
                                                         encoding="ascii")


def units(text):
    """The place of each character, and of the end."""
    places = [0]
    for character in text:
        places.append(places[-1] + (2 if ord(character) > 0xFFFF else 1))
    return places


def write_oracle(tokenizer_json, oracle, out):
    tokenizer = Tokenizer.from_file(tokenizer_json)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    with (gzip.open if oracle.endswith(".gz") else open)(oracle, "rt", encoding="utf-8") as file:
        texts = [row["text"] for rows in json.load(file)["corpora"].values() for row in rows]
    with open(out, "w", encoding="ascii") as file:
        for text, second in zip(texts, texts[1:] + texts[:1]):
            one, both, places = tokenizer.encode(text), tokenizer.encode(text, second), units(text)
            offsets = [places[place] for pair in one.offsets for place in pair]
            row = {"text": text, "ids": one.ids, "offsets": offsets, "pair": both.ids, "types": both.type_ids}
            file.write(json.dumps(row) + "\n")



if __name__ == "__main__":
    commands = {"fixtures": write_fixtures, "ranges": write_ranges, "graphemes": write_graphemes,
                "oracle": write_oracle}
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](*sys.argv[2:])
