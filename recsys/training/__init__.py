"""What a run of training is, whatever the framework."""
