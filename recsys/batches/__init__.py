"""From logs to what a model is fed, in a seeded order, in NumPy."""
