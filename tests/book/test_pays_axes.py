"""The study of axes: shares are nested, everybody is asked, and a place is the contrast of the two arms."""

import numpy as np
import pytest

from recsys.book.pays import axes, pictures, registered
from recsys.data import load


@pytest.fixture(scope="module")
def config(root):
    return registered(root / "studies", "pays_axes")


@pytest.mark.parametrize("world", ["movielens-100k, last out", "lee-news, characters"])
def test_a_smaller_share_is_part_of_the_larger_and_asked_the_same(config, world):
    shares = [axes.smaller(config, world, share, seed=1) for share in (0.01, 0.1, 1.0)]
    logs = [share.fitted() for share in shares]
    assert [len(log) for log in logs] == sorted({len(log) for log in logs})
    if world.startswith("lee"):
        rows = [{tuple(row) for row in share.rows} for share in shares]
        assert len(shares[2].rows) == 290 and [len(share.rows) for share in shares] == [3, 29, 290]
    else:
        rows = [set(share.users) for share in shares]
        assert [len(users) for users in rows] == [9, 94, 943]
        whole = load("movielens-100k").interactions
        assert len(logs[2]) == len(whole) - whole.n_users  # but the last of each
    assert rows[0] < rows[1] < rows[2]


def test_another_seed_draws_other_users(config):
    one, two = (axes.smaller(config, "movielens-100k, last out", 0.01, seed) for seed in (0, 1))
    assert set(one.users) != set(two.users)


def test_every_place_of_every_axis_has_both_arms_at_the_settings_that_were_chosen(config):
    made = axes.pieces(config)
    assert len(made) == 2 * 3 * 2
    for world, of_arms in config["chosen"].items():
        assert set(of_arms) == set(config["arms"]) == {"attention", "decay"}, world


def test_a_place_tells_the_contrast_and_its_percent():
    rng = np.random.default_rng(0)
    decay = 0.2 + 0.01 * rng.standard_normal((3, 400))
    done = {"w: dim: attention": {"16": decay + 0.02}, "w: dim: decay": {"16": decay}}
    config = {"arms": ["attention", "decay"], "margin": 0.03}
    found = axes.at_place(config, done, "w: dim", "16")
    assert found["attention minus"]["decay"]["difference"] == pytest.approx(0.02)
    assert pictures.in_percent(found)[0] == pytest.approx(10, rel=0.01)
