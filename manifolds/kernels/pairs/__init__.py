"""All pairs of two sets at once, by matrix products."""
