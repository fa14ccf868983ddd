"""The table of leads: one model beside the others, on the same users."""

import numpy as np
import pytest

from recsys.evaluation import Evaluation, Interval, holm, leads, paired_test


def test_each_row_is_the_paired_test_and_all_p_values_are_adjusted_together():
    random = np.random.default_rng(2)
    base = random.random(80)
    shifts = {"far": -0.3, "near": 0.002, "ours": 0.0, "same": 0.0}
    read = {name: base + shift + 0.05 * random.normal(size=80) for name, shift in shifts.items()}
    read["same"] = read["ours"]
    results = {name: Evaluation(np.arange(80), np.zeros((80, 1), int), {"m": values}, "") for name, values in read.items()}
    table = leads(results, "ours", "m")
    tests = [paired_test(read["ours"], read[name]) for name in ("far", "near", "same")]
    assert table.index.tolist() == ["far", "near", "same"]
    assert table["ours minus it"].tolist() == [str(Interval(*test[:3])) for test in tests]
    assert table["p (Holm)"].tolist() == pytest.approx(holm([test.p_value for test in tests]), abs=1e-4)
    assert table["ours minus it"]["same"] == "0.0000 [0.0000, 0.0000]" and table["p (Holm)"]["same"] == 1
