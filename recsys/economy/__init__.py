"""The attention economy: a feed whose books close, and who is shown what.

Order of reading: `choice` (how a budget of minutes is divided), `market` (a frozen
world), `rounds` (a round and its ledger), `rankers` (slates), `events` (the log that is
drawn), `cleaning` (of it), `loop` (a recommender on its own log), `pair_factors` (one
that knows its denominator), `environment` (adaptors to gymnasium, an extra of their own,
imported from its module); `serving` (a policy round after round), `returns` (for how long
users stay) and `surveys` (what they answer); then, on what an experiment says,
`experiments`, `rates`, `sequential` and `interference`; on learning while serving,
`bandits`, `linear_bandits` and `shelf`; on policies, `repeat_visits` (a game solved exactly),
`policy_gradient` and `biased_logger`; on what a log says of another policy, `off_policy`,
`positions` and `effects`; on those who pay, `auctions` and `pacing`; last, on those who
make the items, `creators` and `bridging`. NumPy and SciPy only.
"""

from recsys.economy.auctions import (
    Sold,
    best_deviation,
    first_price,
    generalised_second_price,
    lowest_envy_free_bids,
    profits_by_bid,
    soft_auction,
    vcg,
)
from recsys.economy.biased_logger import LoggedWorld, planted_logger
from recsys.economy.choice import Shares, inattentive, nested_shares, shares
from recsys.economy.cleaning import Cleaning, clean, fit_cleaning
from recsys.economy.effects import effect_scores, gumbel_given_choice, mean_effect
from recsys.economy.events import (
    Conversion,
    FeedLog,
    conversion,
    draw_choices,
    draw_log,
    inverse_propensities,
    labels,
    purchase_chances,
)
from recsys.economy.experiments import (
    Effect,
    by_unit,
    cuped,
    lift,
    mean_difference,
    ratio_mismatch,
    weighted_difference,
)
from recsys.economy.interference import (
    ByArm,
    Stream,
    budget_spend,
    feed_minutes,
    sales_by_city,
    stream_clicks,
)
from recsys.economy.loop import Run, from_clicks, run_loop, spread
from recsys.economy.market import World, planted_world
from recsys.economy.off_policy import (
    Estimate,
    Predicted,
    cell_means,
    direct,
    doubly_robust,
    effective_size,
    ips,
    ips_error,
    self_normalised,
)
from recsys.economy.pacing import Campaign, boost_for, control, hindsight, pace
from recsys.economy.pair_factors import PairFactors
from recsys.economy.positions import Positions, fit_positions, slot_rates
from recsys.economy.policy_gradient import (
    ActionLog,
    fit_policy,
    reinforce,
    score_gradient,
    top_k_factor,
    top_k_optimum,
)
from recsys.economy.rankers import best_slates, compose, sampled_slates, slot_kinds
from recsys.economy.rates import rate_difference, sample_size, wald, wilson
from recsys.economy.repeat_visits import (
    Game,
    play_game,
    policy_value,
    solve,
    trust_game,
)
from recsys.economy.returns import Survival, kaplan_meier
from recsys.economy.rounds import Ledger, State, play_round, start, utilities
from recsys.economy.sequential import always_valid_radius, mixture_ratio
from recsys.economy.serving import serve
from recsys.economy.surveys import cronbach_alpha, stratified_mean
from recsys.economy.repeat_visits import (
    Game,
    play_game,
    policy_value,
    solve,
    trust_game,
)
from recsys.economy.returns import Survival, kaplan_meier
from recsys.economy.rounds import Ledger, State, play_round, start, utilities
from recsys.economy.sequential import always_valid_radius, mixture_ratio
from recsys.economy.serving import serve
from recsys.economy.surveys import cronbach_alpha, stratified_mean
