"""The image-text models, one a file."""
