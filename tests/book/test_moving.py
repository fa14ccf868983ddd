"""Figures that move: by keyboard, finger and button, told to a reader of the screen, and still without a script."""

import json
import re

import numpy as np
import pytest
from docutils import nodes

from recsys.book.figure_page import FigureRenderer
from recsys.book.moving import HTML, moving_bars, moving_heat
from tests.conftest import ROOT

FRAMES = [np.full((2, 2), 0.5), np.eye(2)]
TOLD = ["After 0 steps: <alike>.", "After 9 steps: \"sharp\"."]
BARS = [np.array([1.0, 0.0]), np.array([0.25, 2.0]), np.array([0.0, 4.0])]
OF_BARS = ["T = 1: one.", "T = 2: two.", "T = 3: three."]
CAPTION = "What is drawn, <in a sentence>."
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture
def shown(monkeypatch):
    kept = []
    monkeypatch.setattr("IPython.display.publish_display_data", lambda data, metadata: kept.append((data, metadata)))
    return kept


def heat(shown, frames=FRAMES, told=TOLD, columns=("1", "2")):
    moving_heat(frames, told, ["a", "b"], columns, "Steps of training", CAPTION)
    return shown[-1][0]


def bars(shown, **options):
    options = {"marks": [np.array([4.0, 4.0])] * 3, "start": 1} | options
    moving_bars(BARS, OF_BARS, ["letter", "film"], "Temperature", CAPTION, **options)
    return shown[-1][0]


def opened(browser, data, **options):
    page = browser.new_context(offline=True, **options).new_page()
    page.set_content(data[HTML])
    return page


def drawn(page):
    """What the elements that move hold now, as the frames are written."""
    return page.evaluate("[...document.querySelectorAll('[data-set]')].map(one => "
                         "one.dataset.set === 'text' ? one.textContent : +one.getAttribute(one.dataset.set))")


def frames_of(page):
    return json.loads(page.locator(".moving").get_attribute("data-frames"))


def told_now(page):
    return page.locator("svg").get_attribute("aria-label"), page.locator("output").inner_text()


def test_what_is_stored_as_text_tells_the_caption_and_each_frame(shown):
    assert heat(shown)["text/plain"].splitlines()[0] == f"Figure: {CAPTION}"
    assert heat(shown)["text/plain"].splitlines()[2:] == TOLD


def test_a_figure_that_moves_is_a_figure_with_its_caption_below(shown):
    heat(shown)
    data, metadata = shown[-1]
    output = type("Output", (), {"mime_type": HTML, "string": data[HTML], "output_metadata": metadata})
    [figure] = FigureRenderer.handle_mime(None, output, False)
    assert isinstance(figure, nodes.figure) and figure.children[-1].astext() == CAPTION
    output.output_metadata = {}
    assert FigureRenderer.handle_mime(None, output, False) is None, "a table is no figure"


@pytest.mark.parametrize("frames, told", [(FRAMES, TOLD[:1]), ([np.eye(2), np.eye(3)], TOLD), ([np.eye(3)] * 2, TOLD)])
def test_frames_that_do_not_belong_together_are_refused(shown, frames, told):
    with pytest.raises(ValueError, match="expected 2 sentences and frames of shape"):
        heat(shown, frames, told)


def test_marks_of_another_number_than_frames_are_refused(shown):
    with pytest.raises(ValueError, match="marks: expected 1 sentences|marks: expected 1"):
        bars(shown, marks=[np.array([4.0, 4.0])])


def test_the_map_moves_by_keyboard_and_by_its_button(shown, browser):
    page = opened(browser, heat(shown))
    page.get_by_role("slider", name="Steps of training").focus()
    page.keyboard.press("End")
    assert drawn(page) == [1, 0, 0, 1] and told_now(page) == (TOLD[1], TOLD[1])
    page.get_by_role("button", name="Play").click()
    assert drawn(page) == [0.5] * 4 and told_now(page) == (TOLD[0], TOLD[0])
    page.get_by_role("button", name="Play").wait_for()
    assert drawn(page) == [1, 0, 0, 1], "played to its end"


def test_a_finger_moves_the_bars(shown, browser):
    page = opened(browser, bars(shown), has_touch=True, viewport={"width": 390, "height": 700})
    box = page.get_by_role("slider").bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] - 3, box["y"] + box["height"] / 2)
    assert told_now(page) == (OF_BARS[2], OF_BARS[2]) and drawn(page) == frames_of(page)[2]


def test_lengths_keep_their_proportions_and_numbers_and_marks_stand_beside_them(shown, browser):
    page = opened(browser, bars(shown, written="{:.2f}"))
    for frame, numbers in enumerate(BARS):
        widths, texts, marks = np.array(frames_of(page)[frame], dtype=object).reshape(3, 2)
        assert widths.astype(float) == pytest.approx(numbers * frames_of(page)[2][1] / 4, abs=0.06)
        assert list(texts) == [f"{number:.2f}" for number in numbers]
        assert len(set(marks)) == 1
    left, bar = page.locator(".bar").nth(1).get_attribute("x"), frames_of(page)[2][1]
    assert frames_of(page)[0][4] == pytest.approx(float(left) + bar - 1), "a mark of 4 stands where a bar of 4 ends"


@pytest.mark.parametrize("make, still", [(heat, 0), (bars, 1)])
def test_without_a_script_the_first_picture_stands_with_its_sentence(shown, browser, make, still):
    page = opened(browser, make(shown), java_script_enabled=False)
    assert drawn(page) == frames_of(page)[still]
    assert set(told_now(page)) == {(TOLD if make is heat else OF_BARS)[still]}
    assert not page.get_by_role("slider").is_visible()


def test_a_column_without_a_name_is_a_gap(shown, browser):
    wide = [np.hstack([frame[:, :1], np.full((2, 1), 9.0), frame[:, 1:]]) for frame in FRAMES]
    page = opened(browser, heat(shown, frames=wide, columns=("1", "", "2")))
    assert drawn(page) == [0.5] * 4
    across = page.locator("rect").evaluate_all("all => all.slice(0, 2).map(one => +one.getAttribute('x'))")
    assert across[1] - across[0] == 64


def moving_figures():
    """Every stored figure that moves, by its chapter."""
    for path in NOTEBOOKS:
        for cell in json.loads(path.read_text("utf-8"))["cells"]:
            for output in cell.get("outputs", []):
                if "data-frames" in "".join(output.get("data", {}).get(HTML, [])):
                    yield path.stem, output


def test_at_least_six_figures_move_each_with_a_caption_and_a_name_of_its_own():
    found = list(moving_figures())
    names = [re.search(r'id="(moving-\w+)"', "".join(output["data"][HTML]))[1] for _, output in found]
    assert len(found) >= 6 and len(set(names)) == len(names)
    assert all(len(output["metadata"][HTML]["caption"]) >= 20 for _, output in found)


def test_stored_figures_draw_in_the_browser_what_python_wrote_in_every_frame(browser):
    for chapter, output in moving_figures():
        page = opened(browser, {HTML: "".join(output["data"][HTML])}, viewport={"width": 390, "height": 700})
        slider = page.get_by_role("slider")
        slider.focus()
        page.keyboard.press("Home")
        for number, frame in enumerate(frames_of(page)):
            assert drawn(page) == frame, f"{chapter}, frame {number}"
            assert told_now(page)[0] in "".join(output["data"]["text/plain"])
            page.keyboard.press("ArrowRight")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, chapter
        page.context.close()
