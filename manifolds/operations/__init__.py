"""What is done on manifolds: isometries, hyperplanes, horospheres, Jacobi fields, volumes."""
