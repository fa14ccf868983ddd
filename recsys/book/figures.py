"""Figures that say what they show: a caption always, and their data as text beside the picture.

Validation of notebooks compares text, not pixels. So `show` writes, as the
figure's plain text, a summary of the numbers that were drawn: a figure with
other data fails, a figure drawn by another version of the library does not.
"""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from recsys.book.fitting import stack, uncover

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
"""Okabe and Ito's palette, told apart by colour-blind readers; order by contrast on white."""

OF_THE_PAGE = {
    "#000000": "ink",
    "#444444": "ink",
    "#777777": "ink-muted",
    "#dddddd": "ink-faint",
    "#ffffff": "paper",
}
"""What is replaced by a colour of the page's theme, where there is one."""

SVG = "image/svg+xml"
LINE_STYLES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "P")


def figure(columns: int = 1, rows: int = 1, height: float = 3.2, **options):
    """A figure 7 inches wide in the book's style, and its axes; `options` go to `plt.subplots`."""
    import matplotlib.pyplot as plt
    from cycler import cycler

    style = {
        "figure.facecolor": "white",
        "savefig.facecolor": "white",
        "axes.facecolor": "white",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.color": "#dddddd",
        "axes.axisbelow": True,
        "font.size": 10,
        "legend.frameon": False,
        "axes.prop_cycle": cycler(color=COLOURS) + cycler(marker=MARKERS),
        "lines.markersize": 4,
    }
    plt.rcParams.update(style)
    return plt.subplots(
        rows, columns, figsize=(7, height), layout="constrained", **options
    )


def show(fig, caption: str) -> None:
    """Display `fig` with a caption, and close it.

    It is stored twice as SVG, as wide as it was made and for a telephone, axes below each
    other; a legend that lies on the data moves below them. Black, white and greys follow the theme of the page.

    Args:
        fig: of matplotlib.
        caption: at least 20 characters: what can be seen, and what follows from it.

    Raises:
        ValueError: a shorter text.
    """
    import matplotlib.pyplot as plt
    from IPython.display import publish_display_data

    if len(caption.strip()) < 20:
        plt.close(fig)
        raise ValueError(f"A caption must say what the figure shows; {caption!r} came.")
    summary = [line for ax in fig.axes for line in _describe(ax)]
    _unmark(fig)
    _keep_on_images(fig)
    uncover(fig)
    wide = _svg(fig, f"wide: {caption}")
    stack(fig)
    narrow = _svg(fig, f"narrow: {caption}")
    plt.close(fig)
    publish_display_data(
        {SVG: wide, "text/plain": "\n".join([f"Figure: {caption}", *summary])},
        metadata={SVG: {"caption": caption, "narrow": narrow}},
    )


class Stored(NamedTuple):
    """A drawing that `show` stored: its caption, and the SVG for a page and a telephone."""

    caption: str
    wide: str
    narrow: str


def first_stored(notebook: Path) -> Stored:
    """The first figure that a notebook holds.

    Raises:
        ValueError: none is stored there.
    """
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    for output in (output for cell in cells for output in cell.get("outputs", [])):
        kept = output.get("metadata", {}).get(SVG, {})
        if "caption" in kept:
            wide = "".join(output["data"][SVG])
            return Stored(kept["caption"], wide, "".join(kept["narrow"]))
    raise ValueError(
        f"{notebook.name}: expected a figure of recsys.book.show among its stored "
        "outputs, found none; run it with recsys reproduce --update"
    )


def _unmark(fig) -> None:
    """Take the markers off lines that have too many to see, and off their names in a legend."""
    for ax in fig.axes:
        lines = [line for line in ax.get_lines() if line.get_linestyle() != "None"]
        many = [line for line in lines if len(line.get_xdata()) > 30]
        names = {line.get_label() for line in many}
        for legend in filter(None, [ax.get_legend(), *fig.legends]):
            for handle, text in zip(legend.legend_handles, legend.get_texts(), strict=True):
                if text.get_text() in names and hasattr(handle, "set_marker"):
                    many.append(handle)
        for line in many:
            line.set_marker("")


def _keep_on_images(fig) -> None:
    """Keep words on a coloured image as dark or light as they are, whatever the theme."""
    for text in (text for ax in fig.axes if ax.get_images() for text in ax.texts):
        kept = {"black": "#111111", "white": "#fefefe"}.get(text.get_color())
        if kept:
            text.set_color(kept)


def _svg(fig, salt: str) -> str:
    """The drawing as SVG, the same for the same drawing, in colours of the page."""
    import matplotlib as mpl

    written = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}):
        fig.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    svg = re.sub(r"<metadata>.*?</metadata>", "", written.getvalue(), flags=re.DOTALL)
    svg = re.sub(r"<[^>]*>", _shorter, svg)
    svg = re.sub(r"\n\s*", "\n", svg[svg.index("<svg") :])
    for colour, name in OF_THE_PAGE.items():
        svg = svg.replace(f": {colour}", f": var(--{name}, {colour})")
    return svg


def _shorter(tag: re.Match) -> str:
    """A tag with its coordinates to hundredths; what stands between tags is read."""
    return re.sub(r"\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}", tag[0])


def _describe(ax) -> list[str]:
    """The drawn data of one axes, rounded, a line an artist."""
    lines = [f"axes: {ax.get_title()} | x {ax.get_xlabel()} | y {ax.get_ylabel()}"]
    for line in ax.get_lines():
        lines.append(
            f"  line {_name(line)}: x {_numbers(line.get_xdata(orig=False))}; y {_numbers(line.get_ydata(orig=False))}"
        )
    bars = [patch for patch in ax.patches if hasattr(patch, "get_height")]
    if bars:
        lines.append(
            f"  bars: heights {_numbers([bar.get_height() for bar in bars])}; "
            f"widths {_numbers([bar.get_width() for bar in bars])}"
        )
    for collection in ax.collections:
        offsets = np.ma.filled(
            np.ma.asarray(collection.get_offsets(), dtype=float), np.nan
        ).reshape(-1, 2)
        if len(offsets) > 1:
            lines.append(
                f"  points {_name(collection)}: x {_numbers(offsets[:, 0])}; y {_numbers(offsets[:, 1])}"
            )
        elif collection.get_paths():
            vertices = np.concatenate(
                [path.vertices for path in collection.get_paths()]
            )
            lines.append(
                f"  area {_name(collection)}: x {_numbers(vertices[:, 0])}; y {_numbers(vertices[:, 1])}"
            )
    for image in ax.get_images():
        lines.append(
            f"  image: {_numbers(np.asarray(image.get_array(), dtype=float).ravel())}"
        )
    return lines


def _name(artist) -> str:
    label = str(artist.get_label())
    return "" if label.startswith("_") else label


def _numbers(values) -> str:
    """Up to eight numbers whole, else how many, their range and their mean; three digits each."""
    values = np.asarray(values, dtype=float)
    if len(values) <= 8:
        return "[" + ", ".join(_three(value) for value in values) + "]"
    finite = values[np.isfinite(values)]
    return f"{len(values)} values, {_three(finite.min())} to {_three(finite.max())}, mean {_three(finite.mean())}"


def _three(value: float) -> str:
    if not np.isfinite(value) or value == 0:
        return str(float(value) + 0.0)
    decimals = max(0, 2 - int(np.floor(np.log10(abs(value)))))
    return f"{value + 0.0:.{min(decimals, 12)}f}" if decimals else f"{value:.1f}"
