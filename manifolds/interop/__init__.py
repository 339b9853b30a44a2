"""Other libraries' conventions, and geoopt's optimisers."""
