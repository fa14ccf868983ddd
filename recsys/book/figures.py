"""Figures that say what they show: alt text always, and their data as text beside the picture.

Validation of notebooks compares text, not pixels. So `show` writes, as the
figure's plain text, a summary of the numbers that were drawn: a figure with
other data fails, a figure drawn by another version of the library does not.
"""

from __future__ import annotations

import base64
import io

import numpy as np

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
"""Okabe and Ito's palette, told apart by colour-blind readers; order by contrast on white."""

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


def show(fig, alt: str) -> None:
    """Display `fig` with `alt` text, and close it.

    Args:
        fig: of matplotlib.
        alt: at least 20 characters: what can be seen, and what follows from it.

    Raises:
        ValueError: a shorter text.
    """
    import matplotlib.pyplot as plt
    from IPython.display import publish_display_data

    if len(alt.strip()) < 20:
        plt.close(fig)
        raise ValueError(f"Alt text must say what the figure shows; {alt!r} came.")
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", dpi=150, metadata={"Software": None})
    width = int(fig.get_figwidth() * 100)
    plt.close(fig)
    publish_display_data(
        {
            "image/png": base64.b64encode(buffer.getvalue()).decode(),
            "text/plain": f"Figure: {alt}\n"
            + "\n".join(line for ax in fig.axes for line in _describe(ax)),
        },
        metadata={"image/png": {"alt": alt, "width": width}},
    )


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
