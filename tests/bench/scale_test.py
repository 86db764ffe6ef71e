"""bench/scale/scale.py: the sizing worked out from figures."""

import pathlib
import sys
import types
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench/scale"))
import scale  # noqa: E402

FOUND = {"processor": "a processor", "cores": 2, "load": 0.04, "texts": "made up", "tokens_per_text": 30.0, "bytes_per_text": 150.0,
         "alone_texts_per_s": 600.0, "texts_per_s": 500.0, "private": 4_000_000, "dimensions": 384, "model": 23_000_000}


def tables(**more):
    options = {"texts": 1_000_000_000, "cores": [10, 1000], "efficiency": 0.8, "core_hour": None, "storage_month": None,
               "transfer": None, **more}
    return scale.tables(FOUND, types.SimpleNamespace(**options))


class Scale(unittest.TestCase):
    def test_time_memory_and_network(self):
        text = tables()
        # 1e9 / 500 / 3600 / 0.8 = 694.4
        self.assertIn("694 core hours", text)
        self.assertIn("| 10 | 2.9 days | 0.04 | 0.6 | 6.1 |", text)
        self.assertIn("| 1,000 | 0.7 h | 4.00 | 60.0 | 614.4 |", text)
        self.assertIn("| float32 | 1,536 | 1,536 |", text)
        self.assertIn("| binary | 48 | 48 |", text)

    def test_only_what_has_a_price_has_a_cost(self):
        for word in ("price", "cost", "storage", "transfer"):
            self.assertNotIn(word, tables())
        text = tables(core_hour=0.02, storage_month=0.5, transfer=0.01)
        self.assertIn("| 10 | 2.9 days | 13.89 |", text)
        self.assertIn("| 1,000 | 0.7 h | 13.89 |", text)
        self.assertIn("| int8 | 384 | 384 | 192.00 | 3.84 |", text)
        self.assertIn("| price of a core and hour | 0.02 | parameter |", text)


if __name__ == "__main__":
    unittest.main()
