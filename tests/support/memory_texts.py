"""Texts to measure memory with: python3 tests/support/memory_texts.py FILE"""

import pathlib
import random
import sys

WORDS = "the river of small memory and a window in winter to answer is letter for garden with blue music on quiet".split()


def write(path, short=2000):
    """64 texts of 250 words, then short ones of 3 to 15, one a line; always the same."""
    chance = random.Random(4)
    counts = [250] * 64 + [chance.randint(3, 15) for _ in range(short)]
    path.write_text("".join(" ".join(chance.choices(WORDS, k=count)) + "\n" for count in counts))


if __name__ == "__main__":
    write(pathlib.Path(sys.argv[1]))
