"""The tests of networks once more, in Paddle; those whose bodies speak PyTorch are passed over there."""

from tests.conftest import ROOT
from tests.framework import from_outside, in_paddle

FILES = sorted(path.name for path in (ROOT / "tests" / "models").glob("test_*.py") if path.name != "test_networks_in_paddle.py")


@from_outside
def test_networks_pass_their_tests_in_paddle():
    told = in_paddle(*(f"tests/models/{name}" for name in FILES))
    assert not told, told
