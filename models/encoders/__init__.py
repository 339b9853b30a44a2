"""Encoders of pictures and texts, their sizes, and the tokenizer."""
