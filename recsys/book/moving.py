"""A heat map that moves: frames under a slider, in SVG and a little JavaScript.

Works with mouse, touch and keyboard, and without a network. A screen reader says the
sentence of the frame.
"""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Mapping, Sequence

import numpy as np

SIDE, LEFT, TOP = 32, 84, 24
"""Pixels: a cell of the map, and the room for the names of its rows and columns."""

STYLE = """<style>
.text_html:has(.moving) { background: none !important; color: inherit !important; }
.moving { max-width: 26rem; color: inherit; }
.moving svg { width: 100%; height: auto; font: 13px sans-serif; fill: currentColor; }
.moving rect { stroke: currentColor; stroke-opacity: .3; }
.moving input { width: 100%; accent-color: currentColor; }
</style>"""

SCRIPT = """<script>(function () {
  const box = document.getElementById("NAME"), slider = box.querySelector("input");
  const cells = box.querySelectorAll("rect"), button = box.querySelector("button");
  const frames = JSON.parse(box.dataset.frames), told = JSON.parse(box.dataset.told);
  const last = frames.length - 1;
  let timer = null;
  function draw() {
    const i = Number(slider.value);
    frames[i].forEach((weight, n) => cells[n].setAttribute("fill-opacity", weight));
    box.querySelector("output").textContent = told[i];
    slider.setAttribute("aria-valuetext", told[i]);
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
) -> None:
    """Display a heat map whose frame the reader chooses, or plays.

    Args:
        frames: weights between 0 and 1, each (len(rows), len(columns)).
        told: a sentence for each frame.
        rows, columns: the names beside and above the map.
        label: of the slider.

    Raises:
        ValueError: not a sentence for each frame, or a frame of another shape.
    """
    from IPython.display import publish_display_data

    shapes = {np.shape(frame) for frame in frames}
    if len(told) != len(frames) or shapes != {(len(rows), len(columns))}:
        raise ValueError(
            f"moving_heat: expected {len(frames)} sentences and frames of shape "
            f"{(len(rows), len(columns))}; got {len(told)} sentences and {shapes}"
        )
    numbers = [np.round(frame, 2).ravel().tolist() for frame in frames]
    name = "moving-" + hashlib.sha256(label.encode()).hexdigest()[:8]
    drawn = _drawn(numbers[0], rows, columns, told[0])
    box = (
        f'<div class="moving" id="{name}" data-frames="{_quoted(numbers)}" '
        f'data-told="{_quoted(list(told))}">{drawn}'
        f'<div class="controls" hidden><label for="{name}-slider">{html.escape(label)}'
        f'</label><input type="range" id="{name}-slider" min="0" '
        f'max="{len(frames) - 1}" value="0" step="1">'
        '<button type="button">Play</button> '
        f'<output for="{name}-slider"></output></div>'
        "<noscript>The slider needs JavaScript; the next figure does not.</noscript>"
        "</div>"
    )
    publish_display_data(
        {
            "text/html": STYLE + box + SCRIPT.replace("NAME", name),
            "text/plain": "\n".join(["A figure that moves in the built page.", *told]),
        }
    )


def _quoted(value: list) -> str:
    """As JSON inside an attribute."""
    return html.escape(json.dumps(value, ensure_ascii=False), quote=True)


def _drawn(
    weights: Sequence[float], rows: Sequence[str], columns: Sequence[str], label: str
) -> str:
    """The map as SVG; the darker a cell, the larger its weight."""
    width, height = LEFT + SIDE * len(columns) + 4, TOP + SIDE * len(rows) + 4
    parts = [
        f'<svg viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{html.escape(label)}">'
    ]
    for j, column in enumerate(columns):
        x = LEFT + SIDE * (j + 0.5)
        parts.append(_named(column, x, TOP - 8, "middle"))
    for i, row in enumerate(rows):
        y = TOP + SIDE * i
        parts.append(_named(row, LEFT - 8, y + 21, "end"))
        for j in range(len(columns)):
            weight = weights[i * len(columns) + j]
            parts.append(
                f'<rect x="{LEFT + SIDE * j}" y="{y}" width="{SIDE}" height="{SIDE}" '
                f'fill-opacity="{weight}"/>'
            )
    return "\n".join([*parts, "</svg>"])


def _named(name: str, x: float, y: float, anchor: str) -> str:
    """The name of a row or a column."""
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{html.escape(name)}</text>'
