"""What every example of the gallery starts from: one style, one seed, one thread."""

import warnings
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import torch


def reset(gallery_conf: dict[str, Any], fname: str) -> None:
    """Before each example, for `reset_modules` of sphinx-gallery."""
    plt.style.use(Path(__file__).with_name("gallery.mplstyle"))
    torch.manual_seed(0)
    torch.set_num_threads(1)  # sums in one order: the same picture on every run
    # geoopt compiles at import, in a way that torch is about to give up.
    warnings.filterwarnings("ignore", message=r".*torch\.jit.*")
