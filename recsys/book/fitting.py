"""What makes a drawing fit its page: nothing cut, nothing covered, narrow for a telephone."""

from __future__ import annotations

import textwrap

NARROW = 3.6
"""Inches; a hundred pixels each."""

LEGIBLE = 10
"""Points of the smallest letter on a telephone."""

NAME = 18
"""Letters of a name at the side of narrow axes, before it breaks."""

MARGIN = 0.12
"""Inches around a narrow drawing: the letters of a browser are wider and higher."""


def stack(fig) -> None:
    """Put the axes of a figure below each other, as wide as a telephone.

    What a wide drawing has room for is mended: axes that borrowed the numbers of their
    neighbour get their own, small letters grow, long names and labels break, and a
    legend that is too wide or lies on the data moves below.

    Args:
        fig: of matplotlib; it is changed.
    """
    from matplotlib.gridspec import GridSpec

    axes = [ax for ax in fig.axes if ax.get_subplotspec() and ax.get_label() != "<colorbar>"]
    n_rows = axes[0].get_subplotspec().get_gridspec().nrows if axes else 1
    grid = GridSpec(len(axes), 1, figure=fig)
    for place, ax in enumerate(axes):
        ax.set_subplotspec(grid[place])
        ax.tick_params(labelleft=True)
    _enlarge(fig)
    fig.get_layout_engine().set(w_pad=MARGIN, h_pad=MARGIN)
    height = fig.get_figheight() / n_rows
    heights = [max(height, 2.4, _break_names(ax)) for ax in axes]
    fig.set_size_inches(NARROW, sum(heights))
    fig.draw_without_rendering()
    for ax in axes:
        _break_ticks(ax)
        for label in (ax.xaxis.label, ax.yaxis.label, ax.title):
            _break(label)
    uncover(fig)
    for legend in list(fig.legends):
        if _too_wide(legend):
            _move_below(legend, fig)
    for ax in axes:
        _part_names(ax, fig)


def uncover(fig) -> None:
    """Move legends that lie on the data, or are wider than the page, below the axes.

    Args:
        fig: of matplotlib; it is changed.
    """
    fig.draw_without_rendering()
    for ax in fig.axes:
        legend = ax.get_legend()
        if legend and (_too_wide(legend) or _covers(legend, ax)):
            _move_below(legend, fig)


def _enlarge(fig) -> None:
    """Make every letter large enough for a telephone."""
    from matplotlib.text import Text

    for text in fig.findobj(Text):
        text.set_fontsize(max(text.get_fontsize(), LEGIBLE))


def _break_names(ax) -> float:
    """Break long names at the side of the axes; the inches that all their lines need."""
    names = [label.get_text() for label in ax.get_yticklabels()]
    if max(map(len, names), default=0) <= NAME or len(names) != len(ax.get_yticks()):
        return 0.0
    broken = [textwrap.fill(name, NAME, break_long_words=False) for name in names]
    ax.set_yticks(ax.get_yticks(), broken)
    longest = max(name.count("\n") + 1 for name in broken)
    return 1.2 * LEGIBLE / 72 * longest * len(names) + 0.8


def _part_names(ax, fig) -> None:
    """Make the drawing higher until no name at the side of the axes touches the next."""
    for _ in range(8):
        boxes = [name.get_window_extent() for name in ax.get_yticklabels()]
        boxes = sorted((box for box in boxes if box.width), key=lambda box: box.y0)
        touching = any(
            above.y0 < below.y1 for below, above in zip(boxes, boxes[1:], strict=False)
        )
        if not touching:
            return
        fig.set_figheight(1.15 * fig.get_figheight())
        fig.draw_without_rendering()


def _too_wide(artist) -> bool:
    box, page = artist.get_window_extent(), artist.get_figure(root=True).bbox
    return box.x0 < page.x0 or box.x1 > page.x1


def _outside(label) -> bool:
    """Whether a label is longer than the page, in a browser whose letters are up to a fifth wider too.

    Asked along its line; across it the layout makes room.
    """
    box, page = label.get_window_extent(), label.get_figure(root=True).bbox
    if label.get_rotation() == 90:
        slack = 0.1 * box.height
        return box.y0 - slack < page.y0 or box.y1 + slack > page.y1
    slack = 0.1 * box.width
    return box.x0 - slack < page.x0 or box.x1 + slack > page.x1


def _break(label) -> None:
    """Break a label that leaves the page, into as many lines as it takes."""
    text = label.get_text()
    if "\n" in text:
        return
    for lines in range(2, 7):
        if not _outside(label):
            return
        width = len(text) // lines + 4
        label.set_text(textwrap.fill(text, width, break_long_words=False))


def _break_ticks(ax) -> None:
    """Break the words below the axes where they touch, and turn them where that is not enough."""
    labels = [label for label in ax.get_xticklabels() if label.get_text()]

    def touching() -> bool:
        boxes = [label.get_window_extent().padded(2) for label in labels]
        return any(one.overlaps(other) for one, other in zip(boxes, boxes[1:], strict=False))

    if not touching() or not any(c.isalpha() for label in labels for c in label.get_text()):
        return
    words = [label.get_text().replace(" ", "\n") for label in labels]
    if len(words) == len(ax.get_xticks()):
        ax.set_xticks(ax.get_xticks(), words)
        labels = ax.get_xticklabels()
    if touching():
        ax.tick_params(axis="x", rotation=40)


def _covers(legend, ax) -> bool:
    """Whether lines, points, intervals or bars of the axes lie below their legend."""
    box = legend.get_window_extent()
    drawn = [
        line.get_path().transformed(line.get_transform()) for line in ax.get_lines()
    ]
    for collection in ax.collections:
        paths, to_page = collection.get_paths(), collection.get_transform()
        offsets = collection.get_offset_transform().transform(collection.get_offsets())
        if len(offsets) > 1:
            if any(box.contains(*offset) for offset in offsets):
                return True
        else:
            drawn += [path.transformed(to_page) for path in paths]
    bars = (bar.get_window_extent() for bar in ax.patches if bar.get_alpha() is None)
    return any(path.intersects_bbox(box, filled=False) for path in drawn) or any(
        bar.overlaps(box) for bar in bars
    )


def _move_below(legend, fig) -> None:
    """The same legend below the axes, in as many columns as there is room for."""
    handles, title = legend.legend_handles, legend.get_title().get_text() or None
    texts = [text.get_text() for text in legend.get_texts()]
    legend.remove()
    for n_columns in (3, 2, 1):
        below = fig.legend(
            handles, texts, loc="outside lower center", ncols=n_columns, title=title
        )
        fig.draw_without_rendering()
        if not _too_wide(below) or n_columns == 1:
            break
        below.remove()
    height = below.get_window_extent().height / fig.dpi
    fig.set_figheight(fig.get_figheight() + height)
