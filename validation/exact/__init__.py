"""The maps at any precision, from their definitions, and how well they can be known."""
