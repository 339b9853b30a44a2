"""Graphs as points: edge lists read, embedded, measured and drawn."""
