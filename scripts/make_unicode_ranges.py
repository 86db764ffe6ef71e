#!/usr/bin/env python3
"""Writes src/convert/unicode_ranges.inc: the code points that the Rust `tokenizers` library puts into each class.

Needs the Python package `tokenizers`, which is that library. Usage: make_unicode_ranges.py OUT
"""

import sys
import unicodedata

import tokenizers
from tokenizers import AddedToken, Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import NFD, NFKD, BertNormalizer, StripAccents
from tokenizers.pre_tokenizers import BertPreTokenizer

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


def main():
    nfd, nfkd, strip_marks = NFD().normalize_str, NFKD().normalize_str, StripAccents().normalize_str
    clean, strip, chinese, lower = (
        normalizer(**{name: True}) for name in ("clean_text", "strip_accents", "handle_chinese_chars", "lowercase")
    )
    pre_tokenize = BertPreTokenizer().pre_tokenize_str
    pieces = {chr(c): len(pre_tokenize("a" + chr(c) + "b")) for c in CODE_POINTS}
    decomposes = lambda text: nfd(text) != text
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
    ]
    lines = [
        f"// Classes of code points in tokenizers {tokenizers.__version__}; written by scripts/goldens/tokenizer.py.",
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
    with open(sys.argv[1], "w", encoding="ascii") as file:
        file.write("\n".join(lines))
    for name, _, ranges in tables:
        print(name, len(ranges), "ranges,", sum(last - first + 1 for first, last in ranges), "code points")


main()
