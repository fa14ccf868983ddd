"""What lifelines and mabwiser say of one small input each, kept for the tests.

``python bench/second_opinions.py`` runs both in environments of their own (lifelines asks for a
pandas below 3, which this book does not have) and writes bench/results/second_opinions.json:
inputs and answers. tests/economy/test_second_opinions.py holds ours against them.
"""

import json
import subprocess
import sys

import numpy as np
from environments import BENCH, ensure

RESULTS = BENCH / "results" / "second_opinions.json"

LIFELINES = """
import json, sys, warnings
warnings.simplefilter("ignore")
from importlib.metadata import version
from lifelines import KaplanMeierFitter
asked = json.load(sys.stdin)
curve = KaplanMeierFitter().fit(asked["durations"], asked["ended"]).survival_function_["KM_estimate"]
answer = {"times": curve.index.tolist(), "shares": curve.tolist()}
print(json.dumps({"version": version("lifelines"), "kaplan-meier": answer}))
"""
MABWISER = """
import json, sys, warnings
warnings.simplefilter("ignore")
from importlib.metadata import version
from mabwiser.mab import MAB, LearningPolicy
asked = json.load(sys.stdin)
arms = sorted(set(asked["arms"]))
ucb = MAB(arms, LearningPolicy.UCB1(alpha=1))
ucb.fit(asked["arms"], asked["rewards"])
line = MAB([0], LearningPolicy.LinUCB(alpha=asked["alpha"], l2_lambda=asked["l2"]))
line.fit([0] * len(asked["rewards"]), asked["rewards"], asked["contexts"])
told = line.predict_expectations(asked["candidates"])
print(json.dumps({
    "version": version("mabwiser"),
    "ucb1": [float(ucb.predict_expectations()[arm]) for arm in arms],
    "linucb": [float(each[0]) for each in told],
}))
"""


def inputs():
    """One log of durations, some cut off, and one of choices with contexts."""
    rng = np.random.default_rng(2026)
    lasted, watched = rng.geometric(0.2, 60), rng.integers(1, 12, 60)
    durations = {"durations": np.minimum(lasted, watched).tolist(), "ended": (lasted <= watched).tolist()}
    choices = {
        "arms": rng.integers(4, size=80).tolist(), "rewards": rng.integers(2, size=80).tolist(),
        "contexts": rng.normal(size=(80, 3)).round(3).tolist(),
        "candidates": rng.normal(size=(6, 3)).round(3).tolist(), "alpha": 0.7, "l2": 2.0,
    }  # fmt: skip
    return {"lifelines": durations, "mabwiser": choices}


def answered(name, program, asked):
    """What a library in its own environment says of an input."""
    told = subprocess.run([ensure(name), "-c", program], input=json.dumps(asked), text=True,
                          stdout=subprocess.PIPE, check=True)  # fmt: skip
    return json.loads(told.stdout)


if __name__ == "__main__":
    asked = inputs()
    told = {name: {"asked": asked[name], "said": answered(name, program, asked[name])}
            for name, program in (("lifelines", LIFELINES), ("mabwiser", MABWISER))}  # fmt: skip
    RESULTS.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {RESULTS.name}", file=sys.stderr)
