"""Figures that move: a picture for each place of a slider, in SVG and a little JavaScript.

Python computes every number; the script only writes them into the picture. So a frame is
a list of attributes, one for each element that moves, and a chapter hands over its own
arrays. Mouse, touch and keyboard move the slider, no network is asked, and a reader
without JavaScript sees the frame of the start. A screen reader says the frame's sentence.
"""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

HTML = "text/html"

SIDE, TOP = 32, 24
"""Pixels: a cell of a heat map, and the room for the names of its columns."""

WIDE, BAR, NUMBER = 430, 24, 58
"""Pixels: of a picture of bars, a bar's height, the room for its number at the right."""

LETTER = 9
"""Pixels a letter of a name needs, on a telephone too, where letters are larger."""

STYLE = """<style>
.moving { max-width: 34rem; color: inherit; }
.moving svg { width: 100%; height: auto; font: 13px sans-serif; fill: currentColor; }
.moving .heat { max-width: 26rem; }
.moving rect { stroke: currentColor; stroke-opacity: .3; }
.moving .bar { fill-opacity: .45; }
.moving input { width: 100%; accent-color: currentColor; }
@media (max-width: 600px) {
  .moving svg { overflow: visible; font-size: calc(13.4px * max(1, var(--wide, 340) / 340)); }
}
</style>"""

SCRIPT = """<script>(function () {
  const box = document.getElementById("NAME"), slider = box.querySelector("input");
  const moves = box.querySelectorAll("[data-set]"), button = box.querySelector("button");
  const frames = JSON.parse(box.dataset.frames), told = JSON.parse(box.dataset.told);
  const last = frames.length - 1;
  let timer = null;
  function draw() {
    const i = Number(slider.value);
    moves.forEach((one, n) => {
      if (one.dataset.set === "text") one.textContent = frames[i][n];
      else one.setAttribute(one.dataset.set, frames[i][n]);
    });
    box.querySelector("output").textContent = told[i];
    slider.setAttribute("aria-valuetext", told[i].split(": ")[0]);
    box.querySelector("svg").setAttribute("aria-label", told[i]);
  }
  function stop() { clearInterval(timer); timer = null; button.textContent = "Play"; }
  function step() {
    slider.value = Number(slider.value) + 1; draw();
    if (Number(slider.value) === last) stop();
  }
  slider.addEventListener("input", () => { stop(); draw(); });
  button.addEventListener("click", () => {
    if (timer) return stop();
    if (Number(slider.value) === last) slider.value = 0;
    button.textContent = "Pause"; draw(); timer = setInterval(step, 700);
  });
  box.querySelector(".controls").hidden = false; draw();
})();</script>"""


def moving_heat(
    frames: Sequence[np.ndarray],
    told: Sequence[str],
    rows: Sequence[str],
    columns: Sequence[str],
    label: str,
    caption: str,
) -> None:
    """Display a heat map whose frame the reader chooses, or plays.

    Args:
        frames: weights between 0 and 1, each (len(rows), len(columns)).
        told: a sentence for each frame; what stands before its colon names the frame.
        rows, columns: the names beside and above the map. A column without a name is a
            gap.
        label: of the slider.
        caption: what is drawn; the figure is numbered.

    Raises:
        ValueError: not a sentence for each frame, or a frame of another shape.
    """
    _check("moving_heat", frames, told, (len(rows), len(columns)))
    named = np.array([bool(column) for column in columns])
    numbers = [np.round(frame[:, named], 2).ravel().tolist() for frame in frames]
    _publish(_heat(numbers[0], rows, columns, told[0]), numbers, told, label, caption)


def moving_bars(
    frames: Sequence[np.ndarray],
    told: Sequence[str],
    names: Sequence[str],
    label: str,
    caption: str,
    marks: Sequence[np.ndarray] | None = None,
    written: str = "{:.1%}",
    start: int = 0,
) -> None:
    """Display bars whose frame the reader chooses, or plays.

    Args:
        frames: lengths of the bars, none negative, each (len(names),). The longest of all
            frames and marks fills the width.
        told: a sentence for each frame; what stands before its colon names the frame.
        names: beside the bars.
        label: of the slider.
        caption: what is drawn; the figure is numbered.
        marks: a second number for each bar, drawn as an upright line; None for no lines.
        written: how a bar's number is written at its right.
        start: the frame that is shown first, and without JavaScript.

    Raises:
        ValueError: not a sentence for each frame, or frames or marks of another shape.
    """
    _check("moving_bars", frames, told, (len(names),))
    if marks is not None:
        _check("moving_bars, marks", marks, told, (len(names),))
    left = round(LETTER * max(map(len, names))) + 12
    longest = np.max([*frames, *(marks if marks is not None else [])])
    scale = (WIDE - left - NUMBER) / longest
    numbers = []
    for i, frame in enumerate(frames):
        lines = (
            [] if marks is None else np.round(left + scale * marks[i] - 1, 1).tolist()
        )
        texts = [written.format(number) for number in frame]
        numbers.append([*np.round(scale * frame, 1).tolist(), *texts, *lines])
    drawn = _bars(numbers[start], names, left, told[start])
    _publish(drawn, numbers, told, label, caption, start)


def _check(name: str, frames: Sequence, told: Sequence[str], shape: tuple) -> None:
    """Refuse frames that are not alike, or without a sentence each."""
    shapes = {np.shape(frame) for frame in frames}
    if len(told) != len(frames) or shapes != {shape}:
        raise ValueError(
            f"{name}: expected {len(frames)} sentences and frames of shape {shape}; "
            f"got {len(told)} sentences and {shapes}"
        )


def _publish(
    drawn: str,
    frames: list[list],
    told: Sequence[str],
    label: str,
    caption: str,
    start: int = 0,
) -> None:
    """Display a drawing, its slider and its frames as data."""
    from IPython.display import publish_display_data

    name = "moving-" + hashlib.sha256(label.encode()).hexdigest()[:8]
    box = (
        f'<div class="moving" id="{name}" data-frames="{_quoted(frames)}" '
        f'data-told="{_quoted(list(told))}">{drawn}'
        f'<div class="controls" hidden><label for="{name}-slider">{html.escape(label)}'
        f'</label><input type="range" id="{name}-slider" min="0" '
        f'max="{len(frames) - 1}" value="{start}" step="1">'
        '<button type="button">Play</button></div>'
        f'<output for="{name}-slider">{html.escape(told[start])}</output>'
        "<noscript> The picture moves where JavaScript is allowed.</noscript></div>"
    )
    text = [f"Figure: {caption}", "It moves in the built page.", *told]
    publish_display_data(
        {
            HTML: STYLE + box + SCRIPT.replace("NAME", name),
            "text/plain": "\n".join(text),
        },
        metadata={HTML: {"caption": caption}},
    )


def _quoted(value: list) -> str:
    """As JSON inside an attribute."""
    written = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return html.escape(written, quote=True)


def _heat(
    frame: list[float], rows: Sequence[str], columns: Sequence[str], label: str
) -> str:
    """The map as SVG; the larger a weight, the fuller its cell."""
    left = round(LETTER * max(map(len, rows))) + 12
    size = left + SIDE * len(columns) + 4, TOP + SIDE * len(rows) + 4
    parts, weights = [_opened("heat", size, label)], iter(frame)
    for j, column in enumerate(columns):
        parts.append(_name(column, left + SIDE * (j + 0.5), TOP - 8, "middle"))
    for i, row in enumerate(rows):
        y = TOP + SIDE * i
        parts.append(_name(row, left - 8, y + 21, "end"))
        for j in (j for j, column in enumerate(columns) if column):
            place = {"x": left + SIDE * j, "y": y, "width": SIDE, "height": SIDE}
            parts.append(_moved("fill-opacity", weights, place))
    return "\n".join([*parts, "</svg>"])


def _bars(frame: list, names: Sequence[str], left: int, label: str) -> str:
    """Bars below each other as SVG: their lengths, their numbers, their marks."""
    parts = [_opened("bars", (WIDE, (BAR + 8) * len(names) + 8), label)]
    values = iter(frame)
    heights = [8 + (BAR + 8) * i for i in range(len(names))]
    for y, name in zip(heights, names, strict=True):
        parts.append(_name(name, left - 8, y + 17, "end"))
        place = {"x": left, "y": y, "height": BAR, "class": "bar"}
        parts.append(_moved("width", values, place))
    for y in heights:
        place = f'x="{WIDE - 2}" y="{y + 17}" text-anchor="end"'
        parts.append(
            f'<text data-set="text" {place}>{html.escape(next(values))}</text>'
        )
    if len(frame) > 2 * len(names):
        parts += [
            _moved("x", values, {"y": y - 3, "width": 2, "height": BAR + 6})
            for y in heights
        ]
    return "\n".join([*parts, "</svg>"])


def _opened(kind: str, size: tuple[int, int], label: str) -> str:
    return (
        f'<svg class="{kind}" viewBox="0 0 {size[0]} {size[1]}" '
        f'style="--wide: {size[0]}" role="img" '
        f'aria-label="{html.escape(label)}">'
    )


def _moved(attribute: str, values: Iterator, place: Mapping[str, object]) -> str:
    """A rectangle whose attribute is the next number of the frame."""
    fixed = " ".join(f'{name}="{value}"' for name, value in place.items())
    return f'<rect data-set="{attribute}" {attribute}="{next(values)}" {fixed}/>'


def _name(name: str, x: float, y: float, anchor: str) -> str:
    """The name of a row, a column or a bar."""
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{html.escape(name)}</text>'
