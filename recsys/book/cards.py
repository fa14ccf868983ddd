"""A list as a person sees it: cards with a name, a reason and "not this".

The page needs no script. A card that is marked shrinks, and the next one in the list
takes its place; both are done by the style sheet that comes with the cards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

PARTS = ("title", "detail", "reason")

STYLE = """
.shown-cards { display: flex; flex-wrap: wrap; gap: 0.5rem 2rem; }
.shown-cards section { flex: 1 1 14rem; }
.shown-cards section.for-you { flex: 3 1 20rem; }
.shown-cards ol { list-style: none; padding: 0; margin: 0.3rem 0; display: grid;
  grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: 0.5rem; }
.shown-cards li { border: 1px solid #808080; border-radius: 0.4rem; margin: 0;
  padding: 0.5rem 0.6rem; display: flex; flex-direction: column; }
.shown-cards li .detail, .shown-cards li label { font-size: 0.9em; }
.shown-cards li .reason { flex: 1; font-size: 0.9em; margin: 0.3rem 0; }
.shown-cards li label { display: flex; align-items: center; gap: 0.3rem;
  min-height: 1.6rem; cursor: pointer; }
.shown-cards li:has(:checked) { border-style: dashed; }
.shown-cards li:has(:checked) strong { text-decoration: line-through; font-weight: 400; }
.shown-cards li:has(:checked) .reason { display: none; }
.shown-cards section.popular ol { display: block; list-style: decimal inside; }
.shown-cards section.popular li { display: list-item; border: 0; padding: 0.15rem 0; }
"""


@dataclass(frozen=True)
class Cards:
    """What a notebook shows as cards, and as lines of text where there is no page.

    Args:
        html: for the page, with its style.
        text: the same, a line a card.
    """

    html: str
    text: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text


def cards(
    rows: Sequence[Mapping[str, str]], popular: Sequence[str] = (), k: int = 6
) -> Cards:
    """Show a list as cards, beside what everybody would have been shown.

    Args:
        rows: best first, each with a "title", a "detail" (a year, a price; may be left
            out) and a "reason". Those after the k-th wait until a card is marked.
        popular: titles of the list that is the same for all, best first.
        k: cards in sight.

    Raises:
        ValueError: a row without a title or a reason, or with another part.
    """
    for place, row in enumerate(rows):
        if not {"title", "reason"} <= set(row) <= set(PARTS):
            raise ValueError(
                f"rows[{place}]: expected title, reason and perhaps detail, got "
                f"{sorted(row)}; name the parts of a card so"
            )
    waiting = f".cards-of-{k} li:nth-child(n+{k + 1} of :not(:has(:checked)))"
    style = f"<style>{STYLE}{waiting} {{ display: none; }}</style>"
    for_you = _section("for-you", "For you", [_card(row) for row in rows], f"cards-of-{k}")
    for_all = _section("popular", "For everybody", [escape(title) for title in popular])
    both = for_you + (for_all if popular else "")
    text = [_line(place, row) for place, row in enumerate(rows[:k], start=1)]
    if popular:
        text.append("for everybody: " + " · ".join(popular))
    return Cards(f'{style}<div class="shown-cards">{both}</div>', "\n".join(text))


def _section(name: str, heading: str, items: Sequence[str], of: str = "") -> str:
    listed = "".join(f"<li>{item}</li>" for item in items)
    return f'<section class="{name}"><b>{heading}</b><ol class="{of}">{listed}</ol></section>'


def _card(row: Mapping[str, str]) -> str:
    title, detail, reason = (escape(str(row.get(part, ""))) for part in PARTS)
    return (
        f'<strong>{title}</strong><span class="detail">{detail}</span>'
        f'<span class="reason">{reason}</span>'
        f'<label><input type="checkbox" aria-label="not this: {title}"> not this</label>'
    )


def _line(place: int, row: Mapping[str, str]) -> str:
    detail = f" ({row['detail']})" if row.get("detail") else ""
    return f"{place}. {row['title']}{detail}: {row['reason']}"
