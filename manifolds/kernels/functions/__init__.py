"""Functions of one number, which keep their digits at zeros and through curvature 0."""
