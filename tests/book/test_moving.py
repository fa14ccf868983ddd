"""The heat map that moves: by keyboard and by its button, told to a reader of the screen."""


import numpy as np
import pytest

from recsys.book.moving import moving_heat

FRAMES = [np.full((2, 2), 0.5), np.eye(2)]
TOLD = ["After 0 steps: <alike>.", "After 9 steps: \"sharp\"."]


def displayed(monkeypatch, frames=FRAMES, told=TOLD):
    shown = []
    monkeypatch.setattr("IPython.display.publish_display_data", shown.append)
    moving_heat(frames, told, ["a", "b"], ["1", "2"], "Steps of training")
    return shown[0]


def test_what_is_stored_as_text_tells_each_frame(monkeypatch):
    assert displayed(monkeypatch)["text/plain"].splitlines()[1:] == TOLD


@pytest.mark.parametrize("frames, told", [(FRAMES, TOLD[:1]), ([np.eye(2), np.eye(3)], TOLD), ([np.eye(3)] * 2, TOLD)])
def test_frames_that_do_not_belong_together_are_refused(monkeypatch, frames, told):
    with pytest.raises(ValueError, match="expected 2 sentences and frames of shape"):
        displayed(monkeypatch, frames, told)


def test_the_map_moves_by_keyboard_and_by_its_button(monkeypatch, browser):
    page = browser.new_context(offline=True).new_page()
    page.set_content(displayed(monkeypatch)["text/html"])
    slider = page.get_by_role("slider", name="Steps of training")

    def state():
        opacity = page.evaluate("[...document.querySelectorAll('rect')].map(r => +r.getAttribute('fill-opacity'))")
        return opacity, page.locator("svg").get_attribute("aria-label"), page.locator("output").inner_text()

    slider.focus()
    page.keyboard.press("End")
    assert state() == ([1, 0, 0, 1], TOLD[1], TOLD[1])
    page.get_by_role("button", name="Play").click()
    assert state() == ([0.5] * 4, TOLD[0], TOLD[0])
    page.get_by_role("button", name="Play").wait_for()
    assert state()[0] == [1, 0, 0, 1], "played to its end"
