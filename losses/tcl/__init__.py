"""What triple contrastive learning (TCL) is trained by."""
