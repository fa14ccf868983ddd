"""What can be read on a figure is as it was written."""

from types import SimpleNamespace

import IPython.display
import pytest

from recsys.book import figure, fitting, show


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


@pytest.fixture
def stored(monkeypatch):
    """Draws a figure and gives both its drawings."""
    kept = {}

    def publish(data, metadata):
        kept["wide"] = data["image/svg+xml"]
        kept["narrow"] = metadata["image/svg+xml"]["narrow"]

    monkeypatch.setattr(IPython.display, "publish_display_data", publish)

    def draw(fig):
        show(fig, "A drawing whose words are looked for in both forms.")
        return kept

    return draw


def test_a_long_label_breaks_on_a_telephone_only(stored):
    fig, ax = figure()
    ax.plot([0, 1], [0, 1])
    ax.set_xlabel("difference in AUC, 95% interval over readers and seeds")
    kept = stored(fig)
    assert "over readers and seeds</text>" in kept["wide"]
    assert "95% interval over readers and seeds</text>" not in kept["narrow"]


def test_axes_that_borrow_numbers_have_their_own_on_a_telephone(stored):
    fig, axes = figure(2, sharey=True)
    for ax in axes:
        ax.plot([0, 1], [0.0, 0.77])
        ax.set_yticks([0.77])
    kept = stored(fig)
    assert kept["wide"].count(">0.77</text>") == 1
    assert kept["narrow"].count(">0.77</text>") == 2


def test_a_legend_on_the_data_moves_below_them():
    fig, ax = figure()
    ax.plot([0, 1], [1, 1], label="a line")
    ax.set_ylim(0, 1.1)
    ax.legend(loc="upper center")
    fitting.uncover(fig)
    assert ax.get_legend() is None
    [moved] = fig.legends
    assert moved.get_window_extent().y1 <= ax.get_window_extent().y0
    assert [text.get_text() for text in moved.get_texts()] == ["a line"]


def test_a_legend_beside_the_data_stays():
    fig, ax = figure()
    ax.plot([0, 1], [0, 0], label="a line")
    ax.set_ylim(-0.1, 1)
    ax.legend(loc="upper center")
    fitting.uncover(fig)
    assert ax.get_legend() and not fig.legends


def test_words_on_an_image_keep_their_colour_in_the_dark(stored):
    fig, ax = figure()
    ax.imshow([[0.0, 1.0]])
    ax.text(0, 0, "on dark", color="white")
    ax.text(1, 0, "on light", color="black")
    svg = stored(fig)["wide"]
    for word, colour in (("on dark", "#fefefe"), ("on light", "#111111")):
        [drawn] = [tag for tag in svg.split("<text")[1:] if f">{word}</text>" in tag]
        assert f"fill: {colour}" in drawn
