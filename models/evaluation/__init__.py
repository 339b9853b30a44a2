"""What a trained model knows: retrieval, the hierarchy, ways to the root, pictures of a run."""
