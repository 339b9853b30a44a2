"""The hyperboloid of curvature -1, of whose points the space parts are kept."""
