"""The geometry derived by sympy from the metrics and proven by exact algebra."""
