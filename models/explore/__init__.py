"""One page to explore points in a browser: a disk that is dragged, searched and asked."""
