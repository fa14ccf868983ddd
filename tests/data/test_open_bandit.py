"""The Open Bandit sample: what its files hold, what its card says of them, and what is refused."""

import numpy as np
import pytest

from recsys.data import DataError, LoggedChoices, card, load, load_choices
from recsys.data.sources.obd import read_sample

HEADER = ",timestamp,item_id,position,click,propensity_score," + ",".join(
    [f"user_feature_{k}" for k in range(4)] + [f"user-item_affinity_{k}" for k in range(3)])
ROW = "0,2019-11-24 00:00:34.762830+00:00,2,3,1,0.25,a,b,c,d,0.0,0.0,1.0"


def files(row=ROW, header=HEADER):
    content = f"{header}\n{row}\n".encode()
    return {f"{policy}/{campaign}/{campaign}.csv": content for policy in ("random", "bts") for campaign in ("all", "men", "women")}


@pytest.fixture(scope="module")
def shop():
    try:
        return load_choices("open-bandit")
    except DataError as error:
        pytest.skip(f"open-bandit is not at hand: {str(error).splitlines()[0]}")


def test_what_the_card_says_is_counted(shop):
    table = shop.table
    parts = table.groupby(["policy", "campaign"])
    assert len(shop) == 60_000 and (parts.size() == 10_000).all() and len(parts) == 6
    clicks = parts["click"].sum()
    assert (clicks.min(), clicks.max()) == (38, 69)
    assert (parts["click"].mean() < 0.01).all()
    assert set(table["position"]) == {0, 1, 2}
    thompson = table["propensity"][table["policy"] == "bts"] * 200_000
    odd = thompson[(thompson - thompson.round()).abs() > 1e-6]
    assert len(odd) == 5 and odd.min() == pytest.approx(0.2)
    text = card("open-bandit")
    assert all(said in text for said in ("38 to 69 clicks", "All but five", "a millionth"))


def test_an_even_draw_has_one_chance_and_thompson_weights_have_mean_one_but_for_women(shop):
    means = {}
    for campaign, n_items in (("all", 80), ("men", 34), ("women", 46)):
        even = shop.of("random", campaign)
        assert even["propensity"].to_numpy() == pytest.approx(1 / n_items)
        assert even["item"].nunique() == n_items
        means[campaign] = (even["propensity"].iloc[0] / shop.of("bts", campaign)["propensity"]).mean()
    assert means == pytest.approx({"all": 1.011, "men": 0.943, "women": 3.134}, abs=5e-4)


def test_a_row_is_read_as_it_stands():
    [row] = read_sample(files()).of("bts", "men").itertuples(index=False)
    assert tuple(row) == ("bts", "men", 1574553634, 2, 2, True, 0.25)


@pytest.mark.parametrize("old, new, said", [
    ("2019-11-24 00:00:34.762830+00:00", "yesterday", "a date and time in timestamp"),
    (",2,3,1,", ",3,3,1,", "an item of its campaign in item_id"),
    (",2,3,1,", ",2,4,1,", "a slot from 1 to 3 in position"),
    (",2,3,1,", ",2,3,2,", "0 or 1 in click"),
    ("0.25", "0.0", "a chance above 0 in propensity_score"),
    ("0.25", "often", "a number in propensity_score"),
])  # fmt: skip
def test_a_bad_row_is_named(old, new, said):
    with pytest.raises(DataError, match=f"random/all/all.csv, row 2: expected {said}.*mend"):
        read_sample(files(ROW.replace(old, new)))


def test_another_header_is_refused():
    with pytest.raises(DataError, match="row 1: expected the columns"):
        read_sample(files(header=HEADER.replace("click", "clicked")))


def test_the_table_refuses_what_has_no_chance_and_names_what_there_is():
    good = read_sample(files())
    with pytest.raises(DataError, match="Row 3: expected a propensity above 0.*got nan"):
        LoggedChoices(good.table.assign(propensity=np.where(np.arange(6) == 3, np.nan, 0.5)))
    with pytest.raises(DataError, match="table: expected the columns policy"):
        LoggedChoices(good.table.drop(columns="click"))
    with pytest.raises(DataError, match="random in all.*got bts in shoes"):
        good.of("bts", "shoes")
    with pytest.raises(DataError, match="load_choices"):
        load("open-bandit")
