"""Figures of *What does attention buy?*; the first stands on the front page too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from recsys.book.figures import COLOURS, MARKERS, figure
from recsys.book.pays.table import Row

LOOKS = {
    "pays": (COLOURS[2], "^"),
    "costs": (COLOURS[1], "v"),
    "equal": (COLOURS[0], "s"),
    "not decided": ("#777777", "o"),
}
"""Colour and marker of a verdict."""

NAMES = {
    "movielens-100k": "MovieLens 100K",
    "amazon-beauty": "Amazon Beauty",
    "amazon-sports": "Amazon Sports",
    "online-retail-ii": "Online Retail II",
    "ta-feng": "Ta-Feng",
    "lee-news": "text",
    "dkn-news": "Bing News",
}
"""Of data sets, as a page says them."""


def named(world: str) -> str:
    """The name of a world as a page says it."""
    data, _, rest = world.partition(", ")
    return f"{NAMES[data]}, {rest}"


def answer(rows: Sequence[Row], margin: float = 3.0):
    """Attention minus decay in every world, with what was found and could be seen.

    Args:
        rows: of the table, the first on top.
        margin: within which two arms are equal, in percent of decay's level.

    Returns:
        The figure; x is in percent of the level, and logarithmic beyond 10.
    """
    fig, ax = figure(height=0.42 * len(rows) + 1.3)
    ax.axvspan(-margin, margin, color="#dddddd", linewidth=0, label="margin of equality")
    ax.axvline(0, color="#444444", linewidth=0.8, marker="")
    for place, row in enumerate(rows):
        colour, marker = LOOKS[row.found]
        low, at, high, seen = (
            100 * number / row.level
            for number in (row.low, row.difference, row.high, row.smallest)
        )
        ax.plot([low, high], [place, place], color=colour, marker="", linewidth=2)
        ax.plot(at, place, color=colour, marker=marker, markersize=8, linestyle="")
        ax.plot([-seen, seen], [place] * 2, color="#444444", marker="|", linestyle="")
        ax.text(0.01, place - 0.22, named(row.world), transform=ax.get_yaxis_transform())
    for verdict, (colour, marker) in LOOKS.items():
        ax.plot([], [], color=colour, marker=marker, linestyle="", label=verdict)
    ax.plot([], [], color="#444444", marker="|", linestyle="", label="could be seen")
    ax.set_xscale("symlog", linthresh=10, linscale=1.5)
    ticks = [-10, -3, 0, 3, 10, 30, 60]
    ax.set_xticks(ticks, [str(tick) for tick in ticks], minor=False)
    ax.minorticks_off()
    ax.set(yticks=[], ylim=(len(rows) - 0.4, -0.9))
    ax.set_xlabel("attention minus control, % of control")
    fig.legend(loc="outside lower center", ncols=2, fontsize=9)
    return fig


def dose(worlds: Mapping[str, Mapping[str, Any]]):
    """What was planted against what attention buys, with what there was to buy.

    Args:
        worlds: of `pays_planted`, with their readings "expected".

    Returns:
        The figure: a panel with sessions and one without; x is the interests of a
        viewer, y attention minus decay. A line a noise, 1,000 viewers; more viewers
        are points beside it.
    """
    fig, axes = figure(columns=2, height=3.4, sharey=True)
    for ax, stay, title in zip(axes, (0.7, 0.0), ("in sessions", "no sessions")):
        ax.axhline(0, color="#444444", linewidth=0.8, marker="")
        here = [world for world in worlds.values() if world["stay"] == stay]
        groups = sorted({(world["viewers"], world["noise"]) for world in here})
        for place, (viewers, noise) in enumerate(groups):
            rows = [w for w in here if (w["viewers"], w["noise"]) == (viewers, noise)]
            found = [row["expected"]["attention minus"]["decay"] for row in rows]
            at = [row["interests"] + 0.12 * place for row in rows]
            middle = [each["difference"] for each in found]
            ends = [
                [each["difference"] - each["low"] for each in found],
                [each["high"] - each["difference"] for each in found],
            ]
            ax.errorbar(
                at,
                middle,
                ends,
                linestyle="-" if viewers == 1_000 else "",
                color=COLOURS[place],
                marker=MARKERS[place],
                label=f"{viewers:,} viewers, noise {noise}",
            )
        ax.set(title=title, xlabel="interests of a viewer", xticks=[1, 2, 4, 6])
    axes[0].set_ylabel("attention minus decay")
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=9)
    return fig


AXES = {
    "share": ("share of the log", [0.01, 0.1, 1], ["1%", "10%", "all"]),
    "max_length": ("events read", [10, 50, 200], ["10", "50", "200"]),
    "dim": ("width", [16, 64, 128], ["16", "64", "128"]),
}
"""What moves along an axis, as a page says it, with ticks and their labels."""


def along(worlds: Mapping[str, Mapping[str, Any]]):
    """How the gain moves with the size of the log, the length of history and the width.

    Args:
        worlds: of `pays_axes`.

    Returns:
        The figure: a panel an axis, a line a world; x is logarithmic, y attention minus
        decay in percent of decay's level there, logarithmic beyond 10.
    """
    fig, panels = figure(columns=3, height=3.6, sharey=True)
    for panel, (axis, (title, ticks, labels)) in zip(panels, AXES.items()):
        panel.axhspan(-3, 3, color="#dddddd", linewidth=0)
        panel.axhline(0, color="#444444", linewidth=0.8, marker="")
        for place, (world, axes) in enumerate(worlds.items()):
            told = [in_percent(found) for found in axes[axis].values()]
            panel.errorbar(
                [float(value) * 1.06**place for value in axes[axis]],
                [at for at, _, _ in told],
                [[at - low for at, low, _ in told], [high - at for at, _, high in told]],
                color=COLOURS[place],
                marker=MARKERS[place],
                label=named(world),
            )
        panel.set_xscale("log")
        panel.set_xticks(ticks, labels, minor=False)
        panel.minorticks_off()
        panel.set_xlabel(title)
    panels[0].set_yscale("symlog", linthresh=10, linscale=1.5)
    ticks = [-100, -30, -10, -3, 0, 3, 10, 30, 100]
    panels[0].set_yticks(ticks, [str(tick) for tick in ticks], minor=False)
    panels[0].minorticks_off()
    panels[0].set_ylabel("attention minus decay, %")
    handles, labels = panels[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=9)
    return fig


def in_percent(found: Mapping[str, Any]) -> list[float]:
    """Attention minus decay at one place of an axis, and its interval."""
    level = abs(found["levels"]["decay"])
    row = found["attention minus"]["decay"]
    return [100 * row[end] / level for end in ("difference", "low", "high")]
