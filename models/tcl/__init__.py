"""TCL: triple contrastive learning with a fusion encoder."""
