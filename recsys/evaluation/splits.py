"""Splits of a behaviour log into train, validation and test, each with its proof.

A split is a label for every row of the log. It keeps the three parts, says how
it was made, and counts what could leak: rows in two parts, pairs of user and
item in two parts, and training rows that are later than a test row of the same
user or of anybody.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from recsys.data import Interactions
from recsys.recommender import check_log, require_taken

TIE_BREAKS = (
    "file-order",
    "reverse-file-order",
    "item-ascending",
    "item-descending",
    "random",
)
TIE_BREAK = "file-order"
"""Which of several rows with one time stamp counts as the later one: the later row of the file."""

TRAIN, VALIDATION, TEST, UNUSED = 0, 1, 2, 3


@dataclass(frozen=True)
class Split:
    """Three parts of one log, and how they were made.

    Train and test have rows. Validation may be empty where none is asked for.

    Attributes:
        interactions: the whole log.
        part: (n,) int: 0 train, 1 validation, 2 test, 3 in no part, for each row.
        protocol: how the parts were made, in words that can stand beside a number.
        ordered: whether the split promises that no user's training row is later than
            their test row.

    Raises:
        ValueError: a label missing or unknown, train or test empty, or the promise broken.
    """

    interactions: Interactions
    part: np.ndarray
    protocol: str
    ordered: bool

    def __post_init__(self) -> None:
        part = np.array(self.part, dtype=np.int8)
        part.setflags(write=False)
        object.__setattr__(self, "part", part)
        n = len(self.interactions)
        if (
            part.shape != (n,)
            or not np.isin(part, (TRAIN, VALIDATION, TEST, UNUSED)).all()
        ):
            raise ValueError(
                f"part: expected a label from 0 to 3 for each of {n} rows, got shape {part.shape} "
                f"with labels {np.unique(part).tolist()}"
            )
        self.require_rows(TEST, "test")
        self.require_rows(TRAIN, "train")
        n_later = self._later_than_own_test() if self.ordered else 0
        if n_later:
            raise ValueError(
                f"part: expected no fitted row later than its user's test, got {n_later} in a "
                f"split that promises order in time ({self.protocol}); cut by time"
            )

    def require_rows(self, label: int, name: str) -> None:
        """Require that a part is not empty.

        Raises:
            ValueError: it is.
        """
        if not (self.part == label).any():
            raise ValueError(
                f"part: expected rows in {name}, got no {name} rows ({self.protocol}); use a "
                "larger log, other shares or another split"
            )

    @property
    def train(self) -> Interactions:
        """What a model is fitted on while it is being tuned."""
        return self.interactions.select(self.part == TRAIN)

    @property
    def validation(self) -> Interactions:
        """What settings are chosen on."""
        return self.interactions.select(self.part == VALIDATION)

    @property
    def train_and_validation(self) -> Interactions:
        """What a model is fitted on before the test is read once."""
        return self.interactions.select(self.part <= VALIDATION)

    @property
    def test(self) -> Interactions:
        """What a result is read on, once."""
        return self.interactions.select(self.part == TEST)

    def leaks(self) -> dict[str, int]:
        """Counts of what the fitted part (train and validation) shares with the test part.

        `repeated pairs` are a leak where items are taken once, and the subject
        itself in repeat-purchase data. `later than the user's test` counts fitted
        rows later in time than the same user's first test row; `later than any
        test` those later than the first test row of anybody.
        """
        data = self.interactions
        fitted, test = self.part <= VALIDATION, self.part == TEST
        pair = data.users * data.n_items + data.items
        tested_pairs = np.unique(pair[test])
        repeated = np.isin(tested_pairs, pair[fitted])
        first_test = data.times[test].min()
        return {
            "fitted rows": int(fitted.sum()),
            "test rows": int(test.sum()),
            "repeated pairs": int(repeated.sum()),
            "later than the user's test": self._later_than_own_test(),
            "later than any test": int((data.times[fitted] > first_test).sum()),
        }

    def _later_than_own_test(self) -> int:
        """How many fitted rows are later than the first test row of their user."""
        fitted, test = self.train_and_validation, self.test
        never = np.iinfo(np.int64).max
        first_test = np.full(self.interactions.n_users, never)
        np.minimum.at(first_test, test.users, test.times)
        later = fitted.times > first_test[fitted.users]
        return int(later.sum())


def leave_last_out(
    interactions: Interactions, ties: str = TIE_BREAK, seed: int = 0
) -> Split:
    """The last event of each user is the test, the one before it the validation.

    Users with fewer than three events stay in train.

    Args:
        interactions: the log.
        ties: decides among rows with one time stamp: one of `TIE_BREAKS`.
        seed: of the order that `ties="random"` draws.

    Returns:
        The split, ordered in time.

    Raises:
        ValueError: an unknown rule, nobody with three events, or a value of 0 or less.
    """
    _require_events(interactions)
    require_taken(interactions)
    tie_key = _tie_key(interactions, ties, seed)
    order = np.lexsort((tie_key, interactions.times, interactions.users))
    counts = interactions.user_counts()
    from_end = (
        counts[interactions.users] - 1 - _places(interactions, order)
    )  # 0 for the last
    enough = counts[interactions.users] >= 3
    part = np.full(len(interactions), TRAIN)
    part[enough & (from_end == 0)] = TEST
    part[enough & (from_end == 1)] = VALIDATION
    return Split(
        interactions, part, f"leave-last-out by time, ties {ties}", ordered=True
    )


def last_basket(interactions: Interactions, min_days: int = 3) -> Split:
    """All of a user's last day is the test, all of the day they came before it the validation.

    Users with fewer than `min_days` days stay in train. Nothing is ordered within a day.

    Args:
        interactions: times in days, or in steps that number each user's baskets.
        min_days: 3 leaves every user a day to be fitted on.

    Returns:
        The split, ordered in time.

    Raises:
        ValueError: times in seconds, nobody with so many days, or a value of 0 or less.
    """
    if interactions.time_unit not in ("day", "step"):
        raise ValueError(
            f'interactions: expected times in days or steps, got "{interactions.time_unit}", by '
            "which every second is a basket; divide the times by the length of a day"
        )
    _require_events(interactions)
    require_taken(interactions)
    users, times = interactions.users, interactions.times
    last_day = interactions.newest_times(missing=0)  # (n_users,)
    on_last = times == last_day[users]
    earlier = interactions.select(~on_last)
    day_before = earlier.newest_times(missing=0)  # (n_users,)
    on_day_before = ~on_last & (times == day_before[users])
    enough = _n_days(interactions)[users] >= min_days
    part = np.full(len(times), TRAIN)
    part[enough & on_last] = TEST
    part[enough & on_day_before] = VALIDATION
    protocol = f"last basket of users with at least {min_days} days"
    return Split(interactions, part, protocol, ordered=True)


def _n_days(interactions: Interactions) -> np.ndarray:
    """On how many days each user came: (n_users,) int."""
    days = np.unique(
        np.stack([interactions.users, interactions.times]), axis=1
    )  # (2, n_days)
    return np.bincount(days[0], minlength=interactions.n_users)


def global_temporal(
    interactions: Interactions, validation: float = 0.1, test: float = 0.1
) -> Split:
    """Two cuts in time, the same for everybody: the last share of all rows is the test.

    Rows that share the time stamp of a cut stay together, on its later side. Test
    rows may have users or items that training has never seen; that is what the
    split is for.

    Args:
        interactions: times in seconds or days.
        validation: share of the rows between the cuts; 0 leaves that part empty.
        test: share of the rows after the later cut. What a share leaves of a row is fitted on.

    Returns:
        The split, ordered in time.

    Raises:
        ValueError: times in steps, shares out of range, a part that is empty although a share was
            asked for, or a value of 0 or less.
    """
    test_share, validation_share = _shares(test, validation)
    require_taken(interactions)
    if interactions.time_unit == "step":
        raise ValueError(
            "interactions: expected times in seconds or days, got steps, which count each user's "
            "own events and are at no common time; use leave_last_out"
        )
    _require_events(interactions)
    times = interactions.times
    sorted_times = np.sort(times)
    n_fitted = int(len(times) * (1 - test_share))
    n_train = int(len(times) * (1 - test_share - validation_share))
    part = np.full(len(times), TRAIN)
    part[times >= sorted_times[n_train]] = VALIDATION
    part[times >= sorted_times[n_fitted]] = TEST
    protocol = f"global temporal, validation {validation:.0%}, test {test:.0%}"
    split = Split(interactions, part, protocol, ordered=True)
    if validation:
        split.require_rows(VALIDATION, "validation")
    return split


def random_ratio(
    interactions: Interactions,
    validation: float = 0.1,
    test: float = 0.2,
    seed: int = 0,
) -> Split:
    """A random share of each user's rows is the test, another the validation.

    Order in time is ignored, so training sees the future of its own test users;
    `leaks` counts how often. Shares are rounded down for each user. It is the one split that
    takes ratings of any sign, of which an error can be read; `evaluate` refuses those.

    Args:
        interactions: the log.
        validation: share of each user's rows; 0 leaves that part empty.
        test: share of each user's rows.
        seed: of the order that is cut.

    Returns:
        The split, not ordered in time.

    Raises:
        ValueError: shares out of range, no row, or a part that is empty although a share was asked
            for.
    """
    test_share, validation_share = _shares(test, validation)
    check_log("interactions", interactions)
    _require_events(interactions)
    lottery = np.random.default_rng(seed).random(len(interactions))
    order = np.lexsort((lottery, interactions.users))
    place = _places(interactions, order)
    counts = interactions.user_counts()
    n_test = _of_each(counts, test_share)[interactions.users]
    n_validation = _of_each(counts, validation_share)[interactions.users]
    part = np.full(len(interactions), TRAIN)
    part[place < n_test + n_validation] = VALIDATION
    part[place < n_test] = TEST
    shares = f"validation {validation:.0%}, test {test:.0%}"
    protocol = f"random rows of each user, {shares}, seed {seed}"
    split = Split(interactions, part, protocol, ordered=False)
    if validation:
        split.require_rows(VALIDATION, "validation")
    return split


def _shares(test: float, validation: float) -> tuple[Fraction, Fraction]:
    """Shares as the fractions that were meant: in floats, 100 rows times 0.29 are less than 29."""
    if not (0 < test < 1 and 0 <= validation and validation + test < 1):
        raise ValueError(
            "validation and test: expected shares from 0 and above 0 that sum to less than 1, got "
            f"validation={validation}, test={test}"
        )
    to_millionths = 1_000_000
    test_share = Fraction(test).limit_denominator(to_millionths)
    validation_share = Fraction(validation).limit_denominator(to_millionths)
    if not test_share or bool(validation) != bool(validation_share):
        raise ValueError(
            "validation and test: expected shares of at least a millionth, got "
            f"validation={validation}, test={test}; ask for more, or for validation=0"
        )
    return test_share, validation_share


def _of_each(counts: np.ndarray, share: Fraction) -> np.ndarray:
    """A share of each count, rounded down: (n_users,) int."""
    return counts * share.numerator // share.denominator


def _places(interactions: Interactions, order: np.ndarray) -> np.ndarray:
    """The place of each row among its user's, in an order sorted by user: (n,) int."""
    counts = interactions.user_counts()
    first = np.cumsum(counts) - counts  # (n_users,), where each user's rows begin
    places = np.empty(len(interactions), dtype=np.int64)
    places[order] = np.arange(len(interactions)) - first[interactions.users[order]]
    return places


def _require_events(interactions: Interactions) -> None:
    """Require a log with rows."""
    if not len(interactions):
        raise ValueError(
            "interactions: expected at least one row, got none; load or select some"
        )


def _tie_key(interactions: Interactions, ties: str, seed: int) -> np.ndarray:
    """What orders the rows of one time stamp: (n,) int."""
    rows = np.arange(len(interactions))
    if ties == "file-order":
        return rows
    if ties == "reverse-file-order":
        return -rows
    if ties == "item-ascending":
        return interactions.items
    if ties == "item-descending":
        return -interactions.items
    if ties == "random":
        return np.random.default_rng(seed).permutation(len(interactions))
    raise ValueError(f"ties: expected one of {', '.join(TIE_BREAKS)}, got {ties!r}")
