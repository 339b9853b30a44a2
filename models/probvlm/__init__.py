"""ProbVLM: probabilistic adapters on frozen features."""
