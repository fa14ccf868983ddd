"""What can be read on a figure is as it was written."""

from types import SimpleNamespace

import IPython.display
import pytest

from recsys.book import figure, show


@pytest.fixture
def drawn(monkeypatch):
    """Both drawings of a figure with one label."""
    stored = SimpleNamespace()

    def publish(data, metadata):
        stored.both = [data["image/svg+xml"], metadata["image/svg+xml"]["narrow"]]

    monkeypatch.setattr(IPython.display, "publish_display_data", publish)
    fig, ax = figure()
    ax.plot([0, 1 / 3], [0, 1 / 7], label="_line")
    ax.annotate("0.106", (0.1, 0.1))
    show(fig, "One line and one label, to see what is left of it.")
    return stored.both


def test_a_label_keeps_its_decimals_and_a_coordinate_has_two(drawn):
    for svg in drawn:
        assert ">0.106</text>" in svg
        assert "0.106" not in svg.replace(">0.106</text>", "")
