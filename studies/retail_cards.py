"""Lists with names and prices: the two steps with trees on Online Retail II, as cards."""

import numpy as np

from recsys.baselines import BasketRanker, PersonalFrequency, Popularity
from recsys.baselines.reasons import link
from recsys.data import Interactions, load
from recsys.data.retail import customer_orders
from recsys.evaluation import (
    bootstrap_interval,
    evaluate,
    last_basket,
    paired_test,
    rounded,
    top_k,
)

DATA = ["online-retail-ii"]
CONFIG = {
    "trees": {"usual_gap": 26, "targets": 2},
    "frequency": {"decay": 1.0, "popularity_weight": 2.0},
    "customers": 2,
    "customers are drawn with": 0,
    "least days": 5,
    "typed": ["22138", "47591D", "21213"],
    "cards": 10,
    "protocol": "Online Retail II, rows of customer_orders, a customer's orders of one day as one basket; last basket "
    "of customers with at least 3 days; its day is not told; full ranking; fitted on everything before it; bought "
    "items allowed; score ties by item-index; no setting was tuned: the usual gap is the median one before the test",
}  # fmt: skip


def run(config):
    orders = load_orders()
    log, goods = customers_of(orders), orders.items
    split = last_basket(log, min_days=3)
    past = split.train_and_validation
    trees, popularity = BasketRanker(**config["trees"]), Popularity()
    models = {"popularity": popularity, "frequency": PersonalFrequency(**config["frequency"]), "trees": trees}  # fmt: skip
    recalls = {
        name: evaluate(model, split, repeats=True)["recall@10"]
        for name, model in models.items()
    }
    shown = Window(trees, past, goods, config["cards"])
    typed = Interactions.from_sequences([log.item_index(config["typed"])], log.item_ids)
    return {
        "protocol": config["protocol"],
        "rows": len(log),
        "customers": log.n_users,
        "products": log.n_items,
        "tested": len(np.unique(split.test.users)),
        "recall": {
            name: rounded(bootstrap_interval(found)) for name, found in recalls.items()
        },
        "recall, trees minus": {
            name: rounded(paired_test(recalls["trees"], recalls[name]))
            for name in ("popularity", "frequency")
        },
        "popular": shown.names(top_k(popularity.score([0]), config["cards"])[0]),
        "lists": [
            shown.of_customer(user, split.test) for user in drawn(config, past, split)
        ],
        "stranger": {
            "typed": shown.names(typed.items),
            "cards": shown.cards([-1], typed, without=typed.items),
        },
    }


def load_orders():
    return customer_orders(load("online-retail-ii"))


def customers_of(orders):
    """The same rows with customers in place of invoices, and days in place of seconds."""
    lines = orders.interactions
    customers = orders.users["customer"].to_numpy().astype(np.int64)
    return Interactions.from_ids(
        customers[lines.users],
        lines.item_ids[lines.items],
        np.ones(len(lines)),
        lines.times // 86_400,
        time_unit="day",
    )


def drawn(config, past, split):
    """Some customers of the test who came often enough to see their habits."""
    asked = np.unique(split.test.users)
    days = [len(np.unique(past.of_users([user]).times)) for user in asked]
    often = asked[np.array(days) >= config["least days"]]
    random = np.random.default_rng(config["customers are drawn with"])
    return np.sort(random.choice(often, config["customers"], replace=False))


class Window:
    """Cards of a fitted model: name, price, and the strongest link to the history."""

    def __init__(self, model, past, goods, k):
        self.model, self.past, self.goods, self.k = model, past, goods, k

    def name(self, item):
        """The description, which is in capitals, as a person would write it."""
        told = self.goods["description"].iloc[item]
        return " ".join(str(told).split()).capitalize()

    def names(self, items):
        return [self.name(item) for item in items]

    def of_customer(self, user, test):
        history = self.past.of_users([user])
        shown = self.cards([user], history)
        bought = self.names(np.unique(test.of_users([user]).items))
        often = top_k(history.item_counts()[None].astype(float), 5)[0]
        return {
            "customer": int(self.past.user_ids[user]),
            "baskets": len(np.unique(history.times)),
            "products": len(np.unique(history.items)),
            "bought most": self.names(often),
            "cards": shown,
            "next basket": len(bought),
            "of the cards": sum(card["title"] in bought for card in shown),
        }

    def cards(self, user, history, without=()):
        scores = self.model.score(user, history=history)
        scores[:, list(without)] = -np.inf
        items = top_k(scores, self.k)[0]
        return [
            {
                "title": self.name(item),
                "detail": f"£{self.goods['price'].iloc[item]:.2f}",
                "reason": self.reason(item, history.items),
            }
            for item in items
        ]

    def reason(self, item, taken):
        found = link(self.model.proposals.similarity, taken, item)
        if found.times:
            often = {1: "once", 2: "twice"}.get(found.times, f"{found.times} times")
            return f"bought {often} before"
        if found.goes_with >= 0:
            return f"goes with {self.name(found.goes_with)}"
        return "sells of late"
