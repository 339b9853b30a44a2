"""The losses as modules. They own their learnable scalars and nothing else."""
