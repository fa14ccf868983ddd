"""The adaptors to gymnasium: its checker passes, one user is a row of many, nothing else imports it."""

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from recsys.economy import planted_world
from recsys.economy.environment import Feed, Feeds, Slates
from tests.conftest import ROOT
from tests.test_rooms import imported

LIVELY = {"leave": -1.0, "attachment": 1.0, "fatigue_gain": 1.0, "memory_gain": 1.0, "load": 0.2, "nuisance": 0.5}


@pytest.fixture
def world():
    return planted_world(6, 40, n_slots=5, seed=0, **LIVELY)


def test_only_the_environment_imports_gymnasium():
    naming = [path for path in (ROOT / "recsys").rglob("*.py") if "gymnasium" in path.read_text("utf-8")]
    users = [path.name for path in naming if any(name.split(".")[0] == "gymnasium" for name in imported(path))]
    assert users == ["environment.py"]


@pytest.mark.filterwarnings("ignore:.*Box observation space (minimum|maximum) value is")
def test_gymnasiums_checker_passes(world):
    check_env(Feed(world, user=2), skip_render_check=True)


def test_slates_of_the_space_are_slates_and_others_are_not():
    space = Slates(7, (4, 5), seed=0)
    drawn = [space.sample() for _ in range(50)]
    assert all(slates in space for slates in drawn)
    assert len({slates.tobytes() for slates in drawn}) == 50
    twice, unknown = drawn[0].copy(), drawn[0].copy()
    twice[2, 1], unknown[0, 0] = twice[2, 0], 7
    for wrong in (twice, unknown, drawn[0][:3], drawn[0].astype(float), drawn[0].tolist()):
        assert wrong not in space


def test_one_user_is_a_row_of_many(world):
    many, ones = Feeds(world), [Feed(world, user) for user in range(6)]
    seen, _ = many.reset(seed=0)
    assert np.array_equal(seen, [one.reset(seed=0)[0] for one in ones]) and seen in many.observation_space
    slates = many.action_space.sample()
    seen, reward, left, cut, info = many.step(slates)
    for user, one in enumerate(ones):
        alone, minutes, *_ = one.step(slates[user])
        assert minutes == pytest.approx(reward[user], rel=1e-12)
        after = info["final_obs"][user] if (left | cut)[user] else seen[user]
        assert np.array_equal(alone, after)


def test_who_is_done_starts_afresh_in_the_same_step(world):
    many = Feeds(world, horizon=3)
    fresh, _ = many.reset(seed=1)
    many.action_space.seed(2)
    ends = {"left": 0, "cut": 0}
    age = np.zeros(6, int)
    for _ in range(60):
        seen, _, left, cut, info = many.step(many.action_space.sample())
        age += 1
        assert not (left & cut).any() and np.array_equal(cut, (age == 3) & ~left)
        done = left | cut
        if done.any():
            assert np.array_equal(info["_final_obs"], done)
            assert (info["final_obs"][done] != fresh[done]).any(axis=1).all()
        assert np.array_equal(seen[done], fresh[done]) and (seen[~done] != fresh[~done]).any(axis=1).all()
        age[done] = 0
        ends["left"] += left.sum()
        ends["cut"] += cut.sum()
    assert min(ends.values()) > 10


def test_a_policy_of_another_shape_is_refused(world):
    many, one = Feeds(world), Feed(world)
    many.reset(seed=0), one.reset(seed=0)
    for step, action in (
        (many.step, np.arange(5)),
        (one.step, np.arange(6)),
        (one.step, np.zeros(5, int)),
        (one.step, 3),
    ):
        with pytest.raises(ValueError, match="^slates: expected"):
            step(action)
    with pytest.raises(ValueError, match="^user: expected from 0 to 5, got 6"):
        Feed(world, user=6)
    with pytest.raises(ValueError, match="^horizon: expected at least 1"):
        Feeds(world, horizon=0)
