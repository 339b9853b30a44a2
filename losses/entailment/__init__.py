"""Losses by which what is particular lies below what is general."""
