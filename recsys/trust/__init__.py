"""What is asked of a recommender beside its list: for now, why an item stands there."""

from recsys.trust.leave_out import losses_without, reasons

__all__ = ["losses_without", "reasons"]
