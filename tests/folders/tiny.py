"""What all tiny models of the folder tests share: vocabulary, sizes and texts. Python's standard library only."""

import json

HIDDEN, HEADS, INTERMEDIATE, POSITIONS = 64, 2, 128, 128

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = ["the", "cat", "sat", "by", "river", "boat", "near", "stone", "query", "passage", "old", "house", "caf", "deja",
         "stay", "small", "night", "vector", "of", "and"]
CASED = ["The", "Boat", "Stone", "STONE", "River", "Cat"]
# Accents kept, Chinese characters in words: pieces that only one value of a tokenizer's setting can give.
ACCENTED = ["café", "cafe", "déjà", "é", "è", "É"]
CHINESE = ["中", "文", "字", "中文", "##文", "##中", "##字"]


def vocabulary():
    """The pieces of a WordPiece vocabulary, in the order of their ids."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    pieces = SPECIALS + list(letters) + [f"##{c}" for c in letters] + [f"##{end}" for end in ("ing", "ed", "er", "s")[:3]]
    pieces += list("0123456789") + list(",.!?:;'-") + list("ABCSTR") + ["##O", "##N", "##E"]
    pieces += WORDS + CASED + ACCENTED + CHINESE
    return list(dict.fromkeys(pieces))


# Above any limit of these models, and another text when it is cut on the other side.
LONG = " ".join(WORDS[(i * i + i // 7) % len(WORDS)] for i in range(180))
TEXTS = ["the cat sat by the river", "Boating near a STONE, at 9!", "the café É déjà", "中文 river 文中 cat", "cat", "", LONG]


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=1, ensure_ascii=False)
        file.write("\n")


def read_json(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)
