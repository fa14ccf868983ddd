"""Tables as a reader wants them: numbers below each other, one row of names, a box that scrolls."""

from __future__ import annotations

import re

from bs4 import BeautifulSoup, Tag

TABLE = re.compile(
    r"(?:<div>\s*)?(?:<style scoped>(?:(?!</style>).)*</style>\s*)?"
    r"(?P<table><table\b(?:(?!</table>).)*</table>)",
    re.DOTALL,
)
NUMBER = r"(?:[<>≤≥]\s?)?[-+−]?(?:\d[\d,]*)?\.?\d+(?:e[-+]?\d+)?\s?(?:%|ms|s|MiB|MB|GB)?"
NAMES = {"item", "subclass", "product", "user", "customer", "viewer", "film", "day", "year"}
"""Heads of columns whose numbers count nothing."""
CELL = '<div class="cell '
SETTINGS = {"films", "rate", "passes", "validation"}
"""Heads of columns in which nothing is best."""
LEAST = re.compile(r"\b(?:bits|RMSE|error)\b")
"""In the head of a column whose least is best."""
NOTE = (
    '<p class="of-marks">Bold: the best of its column. Where intervals overlap, that '
    "alone does not tell it from the next.</p>"
)
DATE = r"\d{4}-\d\d(?:-\d\d)?"
BRACKET = re.compile(rf"(?<=\[)({NUMBER}),? (?={NUMBER}\])")
LARGE = re.compile(r"\d{4,}")
LIKE_A_NUMBER = re.compile(
    rf"(?:{NUMBER})?(?: ± {NUMBER})?\s*(?:[\[(]{NUMBER}(?:, | to ){NUMBER}[\])])?"
    rf"|{DATE}(?: to {DATE})?|nan|NaN|[-–—]|never|none|\(control\)"
)
BOUNDS = re.compile(rf"(?P<value>{NUMBER}) (?P<bounds>[\[(]{NUMBER}(?:, | to ){NUMBER}[\])])")
VERDICT = re.compile(
    rf"(?P<value>{NUMBER}) (?P<bounds>\[{NUMBER},\s{NUMBER}\]) (?P<verdict>[a-z ]+)"
)
SHORT, LONG = 8, 20
"""Letters of a row's name that never breaks, and of one that needs room."""
INSTEAD = {"None": "–", "NaN": "–", "nan": "–", "<NA>": "–", "-": "–", "True": "yes", "False": "no"}


def mended(body: str) -> str:
    """Every table of a page, with its numbers marked and its box around it.

    pandas gives an index with a name a row of its own, empty but for that name; the name
    moves up. Columns of numbers, and of numbers with intervals, get the class `number`.
    Counts of pandas from a thousand on get commas, but not numbers that name a thing
    (`NAMES`); a dash stands for what is missing. A verdict stands below its interval.
    Where a telephone has no room, an interval breaks before its bounds, and a name of a
    row has room for two words. In tables of a cell with the tag `mark-best` the best of
    each column is bold.

    Args:
        body: HTML of a page, or of a part of it.

    Returns:
        The same with other tables.
    """

    def mend(found: re.Match) -> str:
        cell = body.rfind(CELL, 0, found.start())
        tags = body[cell + len(CELL) : body.find(">", cell)] if cell >= 0 else ""
        best = "tag_mark-best" in tags
        return found[0].replace(found["table"], _mended(found["table"], best))

    return TABLE.sub(mend, body)


def _mended(text: str, best: bool) -> str:
    soup = BeautifulSoup(text, "html.parser")
    table = soup.table
    of_pandas = "dataframe" in table.get("class", [])
    if of_pandas:
        del table["border"]
        _join_header(table)
        _fill_missing(table)
    _name_cells(table)
    _mark_numbers(table)
    _bind_intervals(table)
    _part_intervals(table)
    _size_names(table)
    if of_pandas:
        _fill_gaps(table)
        _part_thousands(table)
    if not of_pandas:
        return str(soup)
    note = NOTE if best and _mark_best(table) else ""
    return f'<div class="pst-scrollable-table-container">{soup}</div>{note}'


def _rows(part: Tag | None) -> list[Tag]:
    return part.find_all("tr") if part else []


def _cells(row: Tag) -> list[Tag]:
    return row.find_all(["th", "td"])


def _join_header(table: Tag) -> None:
    """Move the names of the index into the row of the columns' names."""
    rows = _rows(table.thead)
    if len(rows) < 2:
        return
    above, last = _cells(rows[-2]), _cells(rows[-1])
    named = [cell.get_text(strip=True) for cell in last]
    n_levels = sum(map(bool, named))
    if len(above) != len(last) or any(named[n_levels:]):
        return
    for cell, name in zip(above[:n_levels], named, strict=False):
        of_columns = cell.get_text(strip=True)
        cell.string = f"{name} / {of_columns}" if of_columns else name
    rows[-1].decompose()


def _name_cells(table: Tag) -> None:
    """Say which header cell names a row and which a column; an empty one names nothing."""
    for scope, part in (("col", table.thead), ("row", table.tbody)):
        for row in _rows(part):
            row.attrs.pop("style", None)
            for cell in row.find_all("th"):
                if cell.get_text(strip=True):
                    cell["scope"] = scope
                else:
                    cell.name = "td"


def _mark_numbers(table: Tag) -> None:
    """Give the class `number` to columns that hold nothing else, and to single intervals."""
    for name, cells in _columns(table):
        said = [(cell, _said(cell)) for cell in cells if cell.name == "td"]
        numbers = [pair for pair in said if LIKE_A_NUMBER.fullmatch(pair[1])]
        if any(text for _, text in said) and len(numbers) == len(said):
            marked = [cell for cell, _ in said] + name
        else:
            marked = [cell for cell, text in numbers if text.endswith("]")]
        for cell in marked:
            cell["class"] = [*cell.get("class", []), "number"]


def _columns(table: Tag) -> list[tuple[list[Tag], list[Tag]]]:
    """The header cell of each column, in a list that is empty without one; and its cells."""
    columns: dict[int, list[Tag]] = {}
    for row in _rows(table.tbody):
        place = n_columns(table)
        for cell in reversed(_cells(row)):  # a spanning cell is missing on the left
            place -= int(cell.get("colspan", 1))
            columns.setdefault(place, []).append(cell)
    header = _rows(table.thead)[-1:]
    names = _cells(header[0]) if header else []
    return [(names[place : place + 1], cells) for place, cells in columns.items()]


def _mark_best(table: Tag) -> bool:
    """Make the best of each column of results bold; say whether there was one."""
    marked = False
    for name, cells in _columns(table):
        head = "".join(cell.get_text(strip=True) for cell in name)
        values = {id(cell): _value(cell) for cell in cells}
        known = {value for value in values.values() if value is not None}
        if len(known) < 2 or head in SETTINGS:
            continue
        best = min(known) if LEAST.search(head) else max(known)
        for cell in cells:
            if values[id(cell)] == best:
                strong = Tag(name="strong")
                strong.extend(list(cell.contents))
                cell.append(strong)
                marked = True
    return marked


def _value(cell: Tag) -> float | None:
    """What a cell of numbers begins with."""
    first = re.match(NUMBER, _said(cell))
    if first is None or "number" not in cell.get("class", []):
        return None
    return float(re.sub(r"[^\d.e+-]", "", first[0].replace("\N{MINUS SIGN}", "-")))


def _said(cell: Tag) -> str:
    """What a cell shows, without what its numbers tell when they are asked."""
    told = {id(text) for box in cell.select("span.told") for text in box.find_all(string=True)}
    shown = (text for text in cell.find_all(string=True) if id(text) not in told)
    return "".join(shown).strip()


def _fill_missing(table: Tag) -> None:
    """A dash where there is no number, and words for what Python says of truth."""
    for cell in table.find_all("td"):
        text = cell.get_text(strip=True)
        if text in INSTEAD:
            cell.string = INSTEAD[text]


def _bind_intervals(table: Tag) -> None:
    """No line breaks between the bounds of an interval that stands beside words."""
    for cell in table.find_all("td", class_=lambda name: name != "number"):
        for text in cell.find_all(string=BRACKET):
            text.replace_with(BRACKET.sub("\\1,\N{NO-BREAK SPACE}", text))


def _part_intervals(table: Tag) -> None:
    """Say where an interval may break: before its bounds, and before a verdict on it."""
    for cell in table.find_all("td"):
        found = BOUNDS.fullmatch(cell.string or "")
        if found:
            bounds = Tag(name="span", attrs={"class": "bounds"})
            bounds.string = found["bounds"]
            cell.string = f"{found['value']} "
            cell.append(bounds)
        found = VERDICT.fullmatch(cell.string or "")
        if found:
            cell.string = f"{found['value']} "
            for line in (f"{found['bounds']} ", found["verdict"]):
                cell.extend([Tag(name="br", can_be_empty_element=True), line])


def _size_names(table: Tag) -> None:
    """Short names of rows stay on a line; long ones have room for two words."""
    for cell in table.select("tbody th"):
        size = len(cell.get_text(strip=True))
        if size <= SHORT or size >= LONG:
            cell["class"] = [*cell.get("class", []), "short" if size <= SHORT else "long"]


def _fill_gaps(table: Tag) -> None:
    """A dash in the empty cells of a column of numbers."""
    for cell in table.select("tbody td.number"):
        if not cell.get_text(strip=True):
            cell.string = "–"


def _part_thousands(table: Tag) -> None:
    """Write 134217728 as 134,217,728, but for columns of numbers that are names."""
    header = _rows(table.thead)[-1:]
    names = [cell.get_text(strip=True) for cell in _cells(header[0])] if header else []
    for row in _rows(table.tbody):
        cells = _cells(row)
        for name, cell in zip(names[-len(cells) :], cells, strict=False):
            text = cell.get_text(strip=True)
            if name not in NAMES and LARGE.fullmatch(text):
                cell.string = f"{int(text):,}"


def n_columns(table: Tag) -> int:
    """Of the widest row."""
    return max(
        sum(int(cell.get("colspan", 1)) for cell in _cells(row))
        for row in table.find_all("tr")
    )
