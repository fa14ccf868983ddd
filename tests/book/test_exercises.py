"""Exercises that answer: every stored answer is right, a wrong one is refused, and nothing is given away."""

import inspect
import json
import re
import subprocess
import sys
import tomllib
from collections import Counter
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import binom

from recsys import attention as att
from recsys import evaluation as ev
from recsys.book import check
from recsys.book.exercises import read_answers, read_numbers, seal
from recsys.book.exercises.numbering import numbers_of
from recsys.book.exercises.properties import PROPERTIES
from recsys.book.exercises.sealing import opens
from recsys.book.lab import lab_notebook, read_book
from tests.conftest import ROOT

ANSWERS = read_answers()
NUMBER = {label: number for number, label in read_numbers().items()}
WORDS = [label for label, answer in ANSWERS.items() if answer.choices]
FUNCTIONS = [label for label, answer in ANSWERS.items() if answer.function]
NUMBERS = [label for label in ANSWERS if label not in WORDS and label not in FUNCTIONS]
PLAIN = r"(?<![\w.*])-?\d+(?:\.\d+)?"
FEWER: dict[str, str] = {}
"""Chapters whose exercises have no two answers that can be checked, each with the reason."""


@cache
def stored_outputs():
    """What the code of each solution printed, by the label of its exercise, as the notebooks hold it."""
    found, label = {}, None
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for cell in json.loads(path.read_text("utf-8"))["cells"]:
            source = "".join(cell["source"])
            if cell["cell_type"] == "code" and label:
                for output in cell["outputs"]:
                    found[label] += "".join(output.get("text", output.get("data", {}).get("text/plain", "")))
            elif cell["cell_type"] == "markdown":
                for start, name in re.findall(r"\{solution-(start|end)\} ?(\S*)", source):
                    label = name if start == "start" else None
                    found.setdefault(label, "")
    return found


def printed(label, pattern):
    """The groups that a pattern finds in what a solution printed: numbers where they are numbers."""
    found = re.search(pattern, stored_outputs()[label], re.S)
    assert found, f"{label}: {pattern} is not in {stored_outputs()[label]!r}"
    return [float(one.replace(",", "")) for one in found.groups()]


def nested_logit():
    kept = []
    for inner in (1.0, 0.5, 1e-6):
        kinds = np.array([0.0, inner * np.log(10)])  # all utilities 0, so the exponentials are 1
        kept.append(att.softmax(kinds)[0])
    return kept


def bars():
    """Shares of the three by drawing 900 bars at the middles of even steps."""
    satisfied = np.array([0.9, 0.6, 0.3])
    passing = (np.arange(900)[:, None] + 0.5) / 900 <= satisfied
    return (passing / np.maximum(passing.sum(axis=1, keepdims=True), 1)).mean(axis=0).tolist()


def power_of_the_step():
    coarse, fine = printed("allocation-ex-greed", r"step  5.0: loses ([\d.]+).*step  1.0: loses ([\d.]+)")
    return round(np.log(coarse / fine) / np.log(5))


def cosine():
    largest = lambda T: att.softmax(np.r_[1.0, -np.ones(63)], temperature=T)[0]
    return largest(1.0), brentq(lambda T: largest(T) - 0.9, 0.1, 1)


def rate_per_pair():
    rng = np.random.default_rng(0)
    scores, goal = rng.normal(size=(3, 40)), rng.integers(1, 6, (3, 40)).astype(float)
    user, pair = (att.squared_error_gradient(scores, goal, normalise=by) for by in ("user", "pair"))
    return 0.02 * np.mean(user / pair)


def finders_and_slope():
    slope, = printed("gradients-ex-mistake", r"careless: slope ([\d.]+), differences False, autograd False")
    return (slope < 1.9) + 2, round(slope)


def zeros_for_padding():
    rng = np.random.default_rng(0)
    query, value = np.array([[1.0, 0.0]]), rng.normal(size=(3, 2))
    keys = np.stack([np.log([1, 2, 3]) * np.sqrt(2), rng.normal(size=3)], axis=1)
    padded = [np.concatenate([part, np.zeros((4, 2))]) for part in (keys, value)]
    return (att.attention(query, *padded)[0] / att.attention(query, keys, value)[0])[0, 0]


def mean_of_means(s, M):
    losses = np.zeros((M - 1) * s + 1)
    losses[-1] = 1.0
    return np.mean([losses[i : i + s].mean() for i in range(0, len(losses), s)]) / losses.mean()


def saturated(k1, b):
    return 10 * (k1 + 1) / (10 + k1 * (1 - b + b))


def ease_without_constraint():
    X = np.random.default_rng(0).normal(size=(6, 3))
    return np.linalg.solve(X.T @ X + 1e-9 * np.eye(3), X.T @ X)


def ends_of_decay():
    return [att.softmax(-rate * np.array([2.0, 1.0, 0.0])) for rate in (1e-9, 50.0)]


def minus_popularity():
    """Over both kinds of what came again and of what was drawn, from popular to rare."""
    wins = {("p", "p"): 0.5, ("p", "r"): 0, ("r", "p"): 1, ("r", "r"): 0.5}
    chance = {"p": 3 / 4, "r": 1 / 4}
    return sum(0.5 * chance[drawn] * win for (_, drawn), win in wins.items())


def first_unstable_rate():
    sigmoid = lambda x: 1 / (1 + np.exp(-x))
    shrinks = lambda rate, x=1e-4: abs(x + rate * (0.5 - sigmoid(x))) - x
    return brentq(shrinks, 2, 20)


def settled():
    kept = 0.0
    for _ in range(500):
        kept = kept * 0.5 ** (1 / 7) + 1
    return kept


def labels_of_favourite_and_other():
    found = printed("own-shadow-ex-ones", r"ones +(\S+) (\S+)\s+impressions +(\S+) (\S+)\s+looks +(\S+) (\S+)")
    return np.reshape(found, (3, 2))


def ramp():
    """Every user in expectation: (share, chance to be treated, chance to buy) of both parts of a week."""
    share, treated, buys = np.array([[5 / 7, 2 / 7], [0.1, 0.5], [0.1, 0.2]])
    return np.average(buys, weights=share * treated) - np.average(buys, weights=share * (1 - treated))


def one_list_for_all():
    exposures = np.r_[np.full(10, 30.0), np.zeros(190)]
    return (exposures > 0).mean(), ev.gini(exposures)


def place_that_costs_most():
    overlap = r"place +1: Jaccard ([\d.]+), rank-biased ([\d.]+).*rank-biased ([\d.]+).*rank-biased ([\d.]+)"
    jaccard, *costs = printed("cost-ex-overlap", overlap)
    return jaccard, 1 + int(np.argmin(costs))


def least_regret():
    """A step's regret, over all steps of a life at which the newcomer may be tried first, and never."""
    lives = [0.5 * 0.5 + 0.5 * 0.5 * before for before in range(100)]
    return min([*lives, 0.5 * 0.5 * 100]) / 100


def best_reserve(n=3):
    """By what the winner pays at each highest value, summed over a grid of reserves."""
    v, reserves = (np.arange(5000) + 0.5) / 5000, np.linspace(0, 1, 101)
    paid = lambda r: np.where(v >= r, v - (v - r**n / v ** (n - 1)) / n, 0)
    revenue = [(paid(r) * n * v ** (n - 1)).mean() for r in reserves]
    return reserves[np.argmax(revenue)], max(revenue)


TRUTHS = {
    "allocation-ex-nested": nested_logit,
    "allocation-ex-greed": power_of_the_step,
    "weights-ex-cosine": cosine,
    "cheaper-ex-features": lambda: printed("cheaper-ex-features", r"1: ([\d,]+) .*2: ([\d,]+) .*4: ([\d,]+) "),
    "cheaper-ex-window": lambda: printed("cheaper-ex-window", r"factor: (\S+).*window (\S+),.*window (\S+),"),
    "gradients-ex-divisor": rate_per_pair,
    "gradients-ex-mistake": finders_and_slope,
    "gradients-ex-limit": lambda: printed("gradients-ex-limit", r"limit (\S+),")[0],
    "gradients-ex-movielens": lambda: printed("gradients-ex-movielens", r"distribution: (\S+).*mean: (\S+)"),
    "mistakes-ex-zero": zeros_for_padding,
    "mistakes-ex-means": lambda: (mean_of_means(32, 100), mean_of_means(1024, 2)),
    "mistakes-ex-no": lambda: printed("mistakes-ex-no", r"4: (\d+), 20: (\d+), 100: (\d+)"),
    "data-ex-ties": lambda: printed("data-ex-ties", r"(\S+) of")[0],
    "metrics-ex-fullk": lambda: printed("metrics-ex-fullk", r"1 (\S+)\s3 (\S+)\s10 (\S+)"),
    "metrics-ex-power": lambda: printed("metrics-ex-power", r"about ([\d,]+) .*about ([\d,]+) "),
    "texts-ex-saturation": lambda: (saturated(1e-9, 0.75), saturated(1e9, 0)),
    "texts-ex-tuned": lambda: printed("texts-ex-tuned", r"k1 (\S+) b (\S+)"),
    "base-ex-ease": ease_without_constraint,
    "base-ex-shrink": lambda: printed("base-ex-shrink", r"shrinkage 0: .*? pairs (\S+)")[0],
    "ratings-ex-title": lambda: printed("ratings-ex-title", r"(\d+) of ten are new")[0],
    "history-ex-rate": ends_of_decay,
    "worth-ex-power": lambda: printed("worth-ex-power", r"([\d,]+) viewers")[0],
    "worth-ex-order": lambda: printed("worth-ex-order", r"newest_bits=(\S+?),")[0],
    "cost-ex-even": lambda: [n / 2 / blocks for n in (1682, 257) for blocks in (1, 2)],
    "cost-ex-memory": lambda: printed("cost-ex-memory", r"attention +(\S+) GB.*decay +(\S+) GB"),
    "cost-ex-overlap": place_that_costs_most,
    "next-basket-ex-ideals": lambda: printed("next-basket-ex-ideals", r"differ for (\d+) customers")[0],
    "will-you-buy-ex-sign": minus_popularity,
    "window-ex-gini": one_list_for_all,
    "window-ex-not-this": lambda: printed("window-ex-not-this", r"product: (\d+) of.*subclass: (\d+) of"),
    "newsroom-ex-between": lambda: printed("newsroom-ex-between", r"changes at (\S+)")[0],
    "newsroom-ex-topics": lambda: printed("newsroom-ex-topics", r"mean (\S+) ")[0],
    "loop-ex-logistic": first_unstable_rate,
    "loop-ex-mean": lambda: printed("loop-ex-mean", r"bound is ([\d.]+)\n")[0],
    "loop-ex-clock": settled,
    "market-ex-nest": lambda: [1 - 1 / 3, 1 - 1 / 2],
    "clicks-ex-alpha": lambda: least_questions(0.9, 1.5),
    "clicks-ex-bounds": lambda: next(a / 1000 for a in range(1000) if (5 - 1) * (1 - a / 1000) <= 0.5),
    "own-shadow-ex-ones": labels_of_favourite_and_other,
    "did-ex-ramp": ramp,
    "bandits-ex-linear": least_regret,
    "bandits-ex-gamma": lambda: [brentq(lambda gamma: 1 - gamma + gamma / K - 0.8, 0, 1) for K in (4, 2)],
    "bandits-ex-kept": lambda: next(n for n in range(1, 2000) if 0.999**n <= 0.5),
    "advertisers-ex-slot": lambda: brentq(lambda c: 200 * (10 - 4) - c * (10 - 2), 0, 200),
    "advertisers-ex-reserve": best_reserve,
    "creators-ex-entry": lambda: printed("creators-ex-entry", r"gains: (\d+), steps die out: (\d+)"),
    "creators-ex-bar": bars,
    "what-ex-support": lambda: 1 - 0.2 - 0.1,
    "what-ex-mix": lambda: [50 / 0.1, 100_000 * 0.1 / 50],
    "whole-ex-mean": lambda: [25 / 10, 10 / 25],
    "whole-ex-slot": lambda: printed("whole-ex-slot", r"alone (\S+), the list (\S+)\n"),
    "tomorrow-ex-water": lambda: [4**0.5 / (4**0.5 + 1), 1 / (4**0.5 + 1)],
    "tomorrow-ex-size": lambda: next(h for h in range(99) if 1e6 / (2 * 0.8**2 + 2 * 0.2**2) ** h < 100),
    "paddle-ex-mask": lambda: np.log10(printed("paddle-ex-mask", r"float32: (\S+)")[0]),
    "paddle-ex-batchnorm": lambda: printed("paddle-ex-batchnorm", r"PaddlePaddle (\S+).*PyTorch +(\S+)"),
}  # fmt: skip


def zero_inside(label):
    intervals = re.findall(r"\[(\S+), (\S+)\]", stored_outputs()[label])
    return ["yes" if float(low) < 0 < float(high) else "no" for low, high in intervals]


def nearly_the_same_decay():
    days, baskets = printed("base-ex-days", r"days +validation nDCG@10 (\S+).*baskets +validation nDCG@10 (\S+)")
    return "hardly different" if abs(days - baskets) < 0.001 else "days"


def penalised():
    before, turned, scaled = printed("ratings-ex-rotation", r"before (\S+).*penalty (\S+).*penalty (\S+)")
    return "scaling" if turned == before != scaled else "rotation"


def moves_with_the_level():
    z, y, other = np.array([0.3, -1.2]), np.array([1.0, 0.0]), np.array([0.1, 0.7])
    losses = [(att.bpr(z + b, other + b), att.binary_cross_entropy(z + b, y)) for b in (0, 3)]
    return ["stays" if np.isclose(*both) else "changes" for both in zip(*losses, strict=True)]


def costs_most():
    table = dict(re.findall(r"(own purchases|late sales|habits) +(\S+)", stored_outputs()["next-basket-ex-features"]))
    return min(table, key=lambda group: float(table[group]))


def said(label, sentence, word):
    """A word, if the solution printed what makes it right."""
    assert sentence in stored_outputs()[label], sentence
    return word


def least_questions(alpha, sigma):
    """Questions until the sum's squared correlation with what all of them measure is there, one by one."""
    n = 1
    while n**2 / (n**2 + n * sigma**2) < alpha:
        n += 1
    return n


WORDS_OF = {
    "weights-ex-bias": lambda: said("weights-ex-bias", "one ranking for all: True", "popularity"),
    "losses-ex-level": moves_with_the_level,
    "data-ex-leak": lambda: said("data-ex-leak", "did not  honest 0.066  now 0.068", "stay"),
    "texts-ex-centring": lambda: zero_inside("texts-ex-centring"),
    "base-ex-days": nearly_the_same_decay,
    "ratings-ex-rotation": penalised,
    "history-ex-guards": lambda: said("history-ex-guards", "drawn: early alone True, not itself alone False", "nothing from this place on"),
    "sequences-ex-chunk": lambda: said("sequences-ex-chunk", "squared agrees: True", "yes"),
    "sequences-ex-shift": lambda: said("sequences-ex-shift", "the newest film: True", "the newest film"),
    "worth-ex-knn": lambda: said("worth-ex-knn", "rows of a similarity: True", "item-kNN with recency"),
    "next-basket-ex-features": costs_most,
    "will-you-buy-ex-count": lambda: said("will-you-buy-ex-count", "softmax: 3:1 equals 15:5: True", ["no", "yes"]),
    "will-you-buy-ex-order": lambda: said("will-you-buy-ex-order", "more popular products: True", "up"),
    "loop-ex-quarter": lambda: said("loop-ex-quarter", "its list: -0.031", "click against its list"),
    "market-ex-ratio": lambda: "multiplied" if np.divide(*printed("market-ex-ratio", r"surplus (\S+) and (\S+)\n")) < 0.6 else "unchanged",
    "own-shadow-ex-bonus": lambda: said("own-shadow-ex-bonus", "bonus    [0.32 0.35 0.43 0.51]", "yes"),
    "whole-ex-likes": lambda: "less" if printed("whole-ex-likes", r"a click: .*, (\S+)\]")[0] < 0 else "alike",
    "did-ex-half": lambda: "more" if np.greater(*printed("did-ex-half", r"with all \+(\S+).*")[:1], printed("did-ex-half", r"visitors \+(\S+),")[0]) else "less",
}  # fmt: skip


def running(q, k, v):
    state, total, out = np.zeros((q.shape[1], v.shape[1])), np.zeros(q.shape[1]), []
    for i in range(len(q)):
        state, total = state + np.outer(k[i], v[i]), total + k[i]
        out.append(q[i] @ state / (q[i] @ total))
    return out


def sees_all(q, k, v):
    kernel = q @ k.T
    return kernel / kernel.sum(axis=1, keepdims=True) @ v


def heat(scores, values, g, T):
    p, h = att.softmax(scores / T), values @ g
    return -(p * (h - p @ h) * scores).sum() / T**2


def careless_heat(scores, values, g, T):
    return -(att.softmax(scores / T) * (values @ g) * scores).sum() / T**2


def by_sums(values, rate):
    S, Z, out = 0, 0, []
    for value in values:
        S, Z = value + np.exp(-rate) * S, 1 + np.exp(-rate) * Z
        out.append(S / Z)
    return np.array(out)


def expected_hits(scores, bought, k):
    kth = -np.sort(-scores)[k - 1]
    above, tied = scores > kth, scores == kth
    return bought[above].sum() + bought[tied].sum() * (k - above.sum()) / tied.sum()


FUNCTIONS_OF = {  # a right one, and common slips
    "weights-ex-running": (running, [sees_all]),
    "gradients-ex-temperature": (heat, [careless_heat, lambda *given: -heat(*given)]),
    "metrics-ex-closed": (lambda r, n, m, k: binom.cdf(k - 1, m, (r - 1) / (n - 1)),
                          [lambda r, n, m, k: binom.cdf(k - 1, m, (r - 1) / n), lambda r, n, m, k: binom.cdf(k, m, (r - 1) / (n - 1))]),
    "ratings-ex-minutes": (lambda p, m: p * m / (1 - p), [lambda p, m: p * m, lambda p, m: p / (1 - p)]),
    "history-ex-without": (lambda w, m: w[0] * (m[0] - w @ m) / (1 - w[0]), [lambda w, m: w[0] * m[0], lambda w, m: w[0] * (m[0] - w @ m)]),
    "cost-ex-recurrence": (by_sums, [lambda v, rate: np.cumsum(v, axis=0), lambda v, rate: by_sums(v[::-1], rate)[::-1]]),
    "next-basket-ex-ties": (expected_hits, [lambda s, b, k: b[np.argsort(-s, kind="stable")[:k]].sum()]),
    "did-ex-cuped": (lambda y, x: np.cov(y, x)[0, 1] / x.var(ddof=1), [lambda y, x: np.corrcoef(y, x)[0, 1], lambda y, x: 1.0]),
}  # fmt: skip


def answered(capsys, label, answer):
    check(NUMBER[label], answer)
    return capsys.readouterr().out


def test_every_stored_answer_is_known_here_by_another_way():
    assert set(TRUTHS) == set(NUMBERS) and set(WORDS_OF) == set(WORDS) and set(FUNCTIONS_OF) == set(FUNCTIONS)
    assert {ANSWERS[label].function for label in FUNCTIONS} == set(PROPERTIES)


@pytest.mark.parametrize("label", NUMBERS)
def test_the_number_of_the_solution_is_right_and_others_are_refused(label, capsys):
    truth = np.asarray(TRUTHS[label](), float)
    assert answered(capsys, label, truth) == f"Exercise {NUMBER[label]}: right.\n"
    widths = np.reshape([width for width, _, _ in ANSWERS[label].sealed], truth.shape)
    for place in np.ndindex(truth.shape or (1,)):
        for step in (-2, -1.1, 1.1, 2):
            wrong = truth.copy()
            wrong[place if truth.shape else ()] += step * widths[place if truth.shape else ()]
            said = answered(capsys, label, wrong.tolist())
            assert "not yet" in said and f"Hint: {ANSWERS[label].hint}" in said
            where = f"place {1 + int(np.ravel_multi_index(place, truth.shape))} of {truth.size}." if truth.size > 1 else "not yet."
            assert where in said


@pytest.mark.parametrize("label", WORDS)
def test_the_word_of_the_solution_is_right_and_every_other_is_refused(label, capsys):
    truth = WORDS_OF[label]()
    assert answered(capsys, label, truth) == f"Exercise {NUMBER[label]}: right.\n"
    words = [truth] if isinstance(truth, str) else truth
    assert answered(capsys, label, [f" {word.upper()} " for word in words]).endswith("right.\n")
    for place, word in enumerate(words):
        for other in set(ANSWERS[label].choices) - {word}:
            wrong = [*words[:place], other, *words[place + 1 :]]
            said = answered(capsys, label, wrong)
            assert "not yet" in said and (len(words) == 1 or f"place {place + 1} of {len(words)}." in said)


@pytest.mark.parametrize("label", FUNCTIONS)
def test_a_function_of_the_solution_is_right_and_a_slip_is_refused(label, capsys):
    right, slips = FUNCTIONS_OF[label]
    assert answered(capsys, label, right) == f"Exercise {NUMBER[label]}: right.\n"
    for slip in slips:
        assert f"not yet. Hint: {ANSWERS[label].hint}" in answered(capsys, label, slip), inspect.getsource(slip)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e3), st.floats(-3, 3))
def test_a_number_is_right_within_its_tolerance_and_nowhere_else(value, within, away):
    [sealed] = seal("any", value, within)
    blur = 1e-4 + 1e-9 * abs(value) / within  # where the bin begins is kept to six digits
    if abs(abs(away) - 1) > blur:
        assert opens("any", 0, value + away * within, sealed) == (abs(away) < 1)


def test_the_test_of_hints_sees_a_number():
    [sealed] = ANSWERS["gradients-ex-divisor"].sealed
    assert opens("gradients-ex-divisor", 0, float(re.findall(PLAIN, "try 0.8.")[0]), sealed)


def test_neither_hint_nor_question_holds_an_answer():
    for label, answer in ANSWERS.items():
        text = f"{answer.asks} {answer.hint}"
        numbers = [float(one) for one in re.findall(PLAIN, text)]
        for place, sealed in enumerate(answer.sealed if label in NUMBERS else ()):
            given = [one for one in numbers if opens(label, place, one, sealed)]
            assert set(given) <= {*ALSO_SAID.get(label, ())}, f"{label}: {given} at place {place}"
        if label in WORDS and set(answer.choices) != {"yes", "no"}:
            truth = WORDS_OF[label]()
            assert isinstance(truth, list) or truth not in answer.hint, label


ALSO_SAID = {
    "metrics-ex-fullk": (1,),  # the number of right films
    "texts-ex-saturation": (1,),  # of k1 + 1
    "history-ex-rate": (0,),  # an end of the rate
    "texts-ex-tuned": (4.8, 0.75),  # all settings to choose from are named
    "own-shadow-ex-ones": (0.2,),  # the chance p is given, and is not the answer by itself
}


def test_the_file_shows_no_answer_in_plain_text():
    text = re.sub(r"#.*|^  (asks|hint): >-\n(    .*\n)+", "", (ROOT / "recsys/book/exercises/answers.yml").read_text("utf-8"), flags=re.M)
    for label in NUMBERS:
        entry = re.search(rf"^{label}:\n((?:  .*\n)+)", text, re.M)[1]
        shown = [float(one) for one in re.findall(r"(?<=[\[ ])[\d.]+(?=,)", entry)]
        for place, sealed in enumerate(ANSWERS[label].sealed):
            wide = [one for one in shown if opens(label, place, one, sealed) and abs(one) > sealed[0]]
            assert wide == [], f"{label}, place {place}"


def test_numbers_are_those_of_the_pages():
    """test_built_book holds the numbers that are counted here equal to those of the built pages."""
    assert read_numbers() == numbers_of(ROOT), "run make book, or recsys.book.exercises.write_numbers"
    assert set(ANSWERS) <= set(NUMBER), "an answer whose exercise is gone"
    assert list(ANSWERS) == [label for label in NUMBER if label in ANSWERS], "in the order of the book"


def test_each_chapter_with_exercises_has_two_that_answer():
    labels = read_book(ROOT).labels
    answering = Counter(labels[label].notebook for label in NUMBER if label in ANSWERS)
    few = {labels[label].notebook for label in NUMBER if answering[labels[label].notebook] < 2}
    assert few == set(FEWER), "add answers for exercises of these chapters to answers.yml, or say here why not"


@pytest.mark.parametrize("number, said", [
    ("2.9", r"got '2\.9'; chapter 2 has 2\.1, 2\.2, 2\.3, 2\.4$"), ("99.1", r"chapters 1 to \d+"), (2.2, "as text.* put it in quotes"),
    ("", "got ''"), (None, "got None"),
])  # fmt: skip
def test_an_unknown_number_names_its_neighbours(number, said):
    with pytest.raises(ValueError, match=rf"number: expected .*{said}"):
        check(number, 1)


@pytest.mark.parametrize("label, answer, said", [
    ("weights-ex-cosine", 0.5, r"shape \(\); hand in an array of shape \(2,\)"),
    ("weights-ex-cosine", [0.1, 0.2, 0.3], r"shape \(3,\); hand in"),
    ("weights-ex-cosine", [[0.1, 0.3]], r"shape \(1, 2\); hand in"),
    ("weights-ex-cosine", [0.1, [0.3, 0.3]], "hand in numbers"),
    ("weights-ex-cosine", [0.1, np.nan], "division by zero"),
    ("weights-ex-cosine", [0.1, np.inf], "overflow"),
    ("weights-ex-cosine", "0.1, 0.3", "hand in numbers"),
    ("weights-ex-cosine", [True, False], "hand in numbers"),
    ("gradients-ex-divisor", [0.8], "hand in a single number"),
    ("gradients-ex-divisor", 0.8j, "hand in numbers"),
    ("weights-ex-bias", 3, "hand in a text"),
    ("weights-ex-bias", "habit", "'habit'; take the very words"),
    ("losses-ex-level", "stays", "1 words; hand in 2"),
    ("did-ex-cuped", 1.0, "hand in the function itself"),
    ("did-ex-cuped", lambda y: y, "TypeError: .*call it once by hand"),
    ("did-ex-cuped", lambda y, x: y, r"shape \(200,\) in place of one number"),
    ("weights-ex-running", lambda q, k, v: v[0], r"shape \(2,\) in place of \(7, 2\)"),
    ("weights-ex-running", lambda q, k, v: v * np.nan, "not finite"),
    ("ratings-ex-minutes", lambda p, m: -p, "in place of one number above 0"),
])  # fmt: skip
def test_an_answer_of_another_kind_is_told_what_is_expected(label, answer, said):
    with pytest.raises(ValueError, match=f"(?s)answer: expected .*; got .*{said}"):
        check(NUMBER[label], answer)


def test_a_proof_is_said_not_to_be_checked_and_dots_ask_what_is_wanted(capsys):
    check(NUMBER["weights-ex-order"], "by permuting")
    assert "is not checked here: open its solution" in capsys.readouterr().out
    for label, answer in ANSWERS.items():
        assert f"asks for {answer.asks}" in answered(capsys, label, ...)


def test_the_installed_package_is_enough_and_no_framework_is_loaded(tmp_path):
    """The data files are part of the wheel, and no checkout is needed."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    shipped = {path for glob in settings["package-data"]["recsys"] for path in (ROOT / "recsys").glob(glob)}
    assert {path for path in (ROOT / "recsys/book/exercises").iterdir() if path.suffix == ".yml"} <= shipped
    code = ("import sys; from recsys.book import check; check('2.3', 'popularity'); check('1.1', 0); "
            "print(sorted({'torch', 'paddle', 'keras', 'matplotlib.pyplot', 'sphinx'} & set(sys.modules)))")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "PATH": ""},
                          capture_output=True, text=True)  # fmt: skip
    assert done.stdout.splitlines()[0] == "Exercise 2.3: right." and done.stdout.endswith("[]\n"), done


def test_lab_has_a_cell_below_each_exercise_that_answers(capsys):
    book, found = read_book(ROOT), set()
    for notebook in {book.labels[label].notebook for label in ANSWERS}:
        cells = lab_notebook(ROOT / "notebooks" / f"{notebook}.ipynb", book).cells
        for before, cell in zip(cells, cells[1:], strict=False):
            if cell.id.startswith("check-"):
                number = re.search(r'^check\("([\d.]+)", \.\.\.\)$', cell.source, re.M)[1]
                label = read_numbers()[number]
                found.add(label)
                assert before.source.split("\n\n")[-1].startswith(">") and f"Exercise {number}" in before.source
                assert all(len(line) <= 88 for line in cell.source.splitlines())
                exec(cell.source, {})  # as a reader's first run of the notebook does: no error, no verdict
                assert capsys.readouterr().out.startswith(f"Exercise {number} asks for {ANSWERS[label].asks}")
    assert found == set(ANSWERS)
