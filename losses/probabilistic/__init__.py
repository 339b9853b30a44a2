"""Losses of laws: likelihoods, uncertain pairs, mutual information."""
