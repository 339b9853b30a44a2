"""The unit sphere, in the coordinates of the space around it."""
