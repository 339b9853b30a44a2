"""Training: configuration, data, the loop, one step, checkpoints."""
