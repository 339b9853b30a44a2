"""Along the rays from the origin: normal coordinates to points and back, and laws of a length."""
