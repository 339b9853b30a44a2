"""The certificate: every map in every dtype over all regimes, and the promise."""
