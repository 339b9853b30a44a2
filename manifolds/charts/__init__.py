"""Coordinates of the space forms, and the ways between them."""
