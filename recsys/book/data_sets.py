"""The page of data sets and what each card shows of the data: measured once, stored, and tested."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np

from recsys.book.root import chapters
from recsys.data import card, catalogue, load, load_texts
from recsys.data.entries import Entry

MEASURED = Path("book", "data", "measured.json")
WRITTEN = "<!-- Generated from the catalogue and {}; do not edit by hand. -->".format(
    MEASURED.as_posix()
)
FEATURES = {"movielens-100k": "title", "dkn-news": "headline", "ta-feng": "price"}
"""What five rows say of an item, where its source says something short."""


def measure(name: str) -> dict:
    """What a log is like: dates, history, repeats, five rows, how long histories are.

    Args:
        name: of a data set whose content is known.

    Returns:
        Fit for JSON. Of documents: five beginnings, and how many words they have.
    """
    if catalogue()[name].loader == "load_texts":
        return _of_texts(load_texts(name))
    data = load(name)
    log = data.interactions
    pairs = log.users * log.n_items + log.items
    lengths = log.user_counts()
    return {
        "dates": _dates(log),
        "median history": float(np.median(lengths)),
        "repeat share": round(1 - len(np.unique(pairs)) / len(log), 4),
        "rows": _five_rows(data),
        "lengths": lengths_in_bins(lengths),
    }


def _of_texts(texts) -> dict:
    written = [text.split() for text in texts.table["text"]]
    n_words = np.array([len(words) for words in written])
    first = [
        {"article": place, "begins": " ".join(words[:9]) + " …"}
        for place, words in enumerate(written[:5])
    ]
    return {"rows": first, "lengths": lengths_in_bins(n_words)}


def _dates(log) -> list[str] | None:
    """First and last day; nothing where the source has only an order."""
    if log.time_unit == "step":
        return None
    days = log.times if log.time_unit == "day" else log.times // 86_400
    return [str(np.datetime64(int(day), "D")) for day in (days.min(), days.max())]


def _five_rows(data) -> list[dict]:
    """The first five rows as the reader of this data set gives them."""
    log = data.interactions
    feature = FEATURES.get(data.name)
    rows = []
    for row in range(5):
        item = log.item_ids[log.items[row]]
        said = {"user": str(log.user_ids[log.users[row]]), "item": str(item)}
        if feature:
            said[feature] = str(data.items.at[item, feature])
        said |= {"value": f"{log.values[row]:g}", "time": _time(log, row)}
        rows.append(said)
    return rows


def _time(log, row: int) -> str:
    time = int(log.times[row])
    if log.time_unit == "step":
        return f"place {time}"
    return str(np.datetime64(time, "D" if log.time_unit == "day" else "s")).replace("T", " ")


def lengths_in_bins(lengths: np.ndarray) -> list[list[int]]:
    """How many lengths lie in 1, 2, 3 to 4, 5 to 8, and so on by doubling.

    Returns:
        Rows of least, most and number, without the empty ones at both ends.
    """
    bins = np.ceil(np.log2(np.maximum(lengths, 1))).astype(int)
    counts = np.bincount(bins)
    first = int(np.flatnonzero(counts)[0])
    return [
        [2 ** (bin - 1) + 1 if bin > 1 else bin + 1, 2**bin, int(counts[bin])]
        for bin in range(first, len(counts))
    ]


def shown(entry: Entry) -> bool:
    """Whether the book shows a card: numbers come from the data."""
    return entry.content is not None


def read_measured(at: Path) -> dict[str, dict]:
    """What `measure` gave for each data set, as stored."""
    return json.loads((at / MEASURED).read_text("utf-8"))


def card_page(name: str, measured: dict[str, dict]) -> str:
    """A card of the catalogue, with five rows and the lengths of histories."""
    if name not in measured:
        return card(name)
    found = measured[name]
    parts = ["## Five rows", "", *_table(found["rows"]), ""]
    parts += [f"## How long {_whose(name)}", "", *_histogram(found["lengths"], name), ""]
    before, heading, after = card(name).partition("## Where it is looked for")
    return before + "\n".join(parts) + "\n" + heading + after


def _whose(name: str) -> str:
    return "articles are" if catalogue()[name].loader == "load_texts" else "histories are"


def _table(rows: list[dict]) -> list[str]:
    titles = list(rows[0])
    lines = ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]
    return lines + [
        "| " + " | ".join(str(cell).replace("|", "/") for cell in row.values()) + " |"
        for row in rows
    ]


def _histogram(lengths: list[list[int]], name: str) -> list[str]:
    of_texts = catalogue()[name].loader == "load_texts"
    what = ("words", "articles") if of_texts else ("rows of a user", "users")
    most = max(count for *_, count in lengths)
    lines = [f"| {what[0]} | {what[1]} | |", "|--:|--:|---|"]
    for least, last, count in lengths:
        range_ = f"{least:,}" if least == last else f"{least:,} to {last:,}"
        bar = f'<span class="bar" style="width: {8 * count / most:.2f}rem"></span>'
        lines.append(f"| {range_} | {count:,} | {bar} |")
    return lines


def used_in(at: Path, name: str) -> list[tuple[int, Path]]:
    """Number and notebook of each chapter that loads a data set, or reads a study that does.

    A chapter may read studies through a table of `World` in a package of `recsys.book`.
    """
    quoted = re.compile(rf"[\"']{re.escape(name)}[\"']")
    studies = {
        path.stem
        for path in (at / "studies").glob("*.py")
        if quoted.search(path.read_text("utf-8"))
    }
    found = []
    for number, together in enumerate(chapters(at), 1):
        for notebook in together:
            code = _code(notebook)
            read = set(re.findall(r"\bstudy\([\"']([\w-]+)[\"']", code))
            read |= set(re.findall(r"\bWorld\([\"'](\w+)[\"']", _packages(at, code)))
            if quoted.search(code) or read & studies:
                found.append((number, notebook))
                break
    return found


def _packages(at: Path, code: str) -> str:
    """The source of the packages in `recsys.book` that code imports from."""
    names = set(re.findall(r"from recsys\.book\.(\w+)", code))
    paths = [path for name in names for path in (at / "recsys/book" / name).glob("*.py")]
    return "\n".join(path.read_text("utf-8") for path in sorted(paths))


def _code(notebook: Path) -> str:
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    return "\n".join(
        "".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"
    )


def page(at: Path) -> str:
    """The page *Data sets*: a table of those that numbers come from, and the others by name."""
    measured = read_measured(at)
    titles = ["data", "rows", "users", "items", "dates", "median history", "repeats"]
    lines = ["| " + " | ".join(titles) + " | licence | in chapter |"]
    lines.append("|---|--:|--:|--:|---|--:|--:|---|---|")
    lines += [_line(at, entry, measured.get(entry.name, {})) for entry in catalogue().values() if shown(entry)]
    others = [entry for entry in catalogue().values() if not shown(entry)]
    told = "; ".join(f"{entry.title}, `{entry.loader}(\"{entry.name}\")`" for entry in others)
    return "\n".join(
        [
            "# Data sets",
            "",
            WRITTEN,
            "",
            "Every log and text that a number of this book comes from. The median history is the number of "
            "rows of the user in the middle; repeats are the rows whose user had that item in another row "
            "before. A log without dates has an order and nothing else of its time. Each name leads to a "
            "card: the licence in full, where the data is looked for, five rows of it, and what it cannot show.",
            "",
            *lines,
            "",
            f"The package can read more that was never at hand here: {told}. Each was written after its "
            "published format, and no number of the book comes from one.",
            "",
        ]
    )


def _line(at: Path, entry: Entry, found: dict) -> str:
    counts = [f"{entry.counts[what]:,}" if what in entry.counts else "" for what in ("rows", "users", "items")]
    months = [date[:7] for date in found.get("dates") or ()]
    dates = " to ".join(months)
    median = f"{found['median history']:g}" if "median history" in found else ""
    repeats = f"{found['repeat share']:.1%}" if "repeat share" in found else ""
    licence = re.split(r"[,.:;](?:\s|$)", entry.licence)[0]
    used = ", ".join(f"[{number}](../notebooks/{path.name})" for number, path in used_in(at, entry.name))
    cells = [f"[{entry.title}](data/{entry.name}.md)", *counts, dates, median, repeats, licence, used]
    return "| " + " | ".join(cells) + " |"


def write_measured(at: Path) -> None:
    """Measure every data set again, and store what was found."""
    names = [name for name, entry in catalogue().items() if shown(entry)]
    found = {name: measure(name) for name in names if catalogue()[name].loader in ("load", "load_texts")}
    (at / MEASURED).write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    from recsys.book.root import root

    write_measured(root())
