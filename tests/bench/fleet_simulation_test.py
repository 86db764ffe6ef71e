"""bench/scale/simulate.py: one rule to commit keeps the account of texts right, and the check finds that the others do not."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench/scale"))
import simulate  # noqa: E402

# A thousand nodes, and as many partitions for each as take a minute of simulated time each.
FLEET = simulate.Fleet(texts=100_000_000, partition=4_000, lifetime=600.0, boot=20.0)


class FleetSimulation(unittest.TestCase):
    def test_each_text_is_there_once(self):
        for seed in range(3):
            with self.subTest(seed=seed):
                result = simulate.Simulation(simulate.dataclasses.replace(FLEET, seed=seed)).run()
                self.assertEqual((result["missing"], result["doubled"]), (0, 0))
                # What the account is checked against has happened.
                for what in ("deaths", "deaths while writing", "leases expired", "reported twice", "reports lost"):
                    self.assertGreater(result[what], 0, what)
                self.assertEqual(result["coordinator failures"], FLEET.coordinator_failures)
                self.assertGreater(result["completions"], result["partitions"])

    def test_broken_rules_are_found(self):
        found = {rule: simulate.Simulation(FLEET, rule).run() for rule in simulate.RULES if rule != "replace"}
        self.assertGreater(found["append"]["doubled"], 0)
        self.assertGreater(found["in-place"]["missing"], 0)
        self.assertGreater(found["early"]["missing"], 0)

    def test_a_seed_repeats_all(self):
        small = simulate.Fleet(nodes=50, texts=1_000_000, partition=1_000, lifetime=100.0)
        self.assertEqual(simulate.Simulation(small).run(), simulate.Simulation(small).run())

    def test_accounting(self):
        for parts, expected in (([(0, 10)], (0, 0)), ([(0, 4), (5, 10)], (1, 0)), ([(0, 6), (4, 10)], (0, 2)),
                                ([(0, 9)], (1, 0)), ([], (10, 0)), ([(0, 10), (2, 3)], (0, 1))):
            store = simulate.Store("replace")
            store.files = {"file": parts}
            self.assertEqual(store.accounting(10), expected, parts)


if __name__ == "__main__":
    unittest.main()
