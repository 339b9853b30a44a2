"""The stereographic model of any curvature, with the ball, which is that of curvature -1."""
