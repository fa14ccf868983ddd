"""The contract once more, in Paddle."""

from tests.framework import from_outside, in_paddle


@from_outside
def test_every_recommender_keeps_the_contract_in_paddle():
    told = in_paddle("tests/contract/test_recommenders.py")
    assert not told, told


@from_outside
def test_what_fails_in_paddle_is_told():
    assert "not found" in in_paddle("tests/contract/test_recommenders.py::test_nothing")
