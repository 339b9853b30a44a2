"""What the room stands on, or a sentence that says how to get it."""

from ..manifolds.extras import import_extra

import_extra("spaceforms.models", "safetensors", "train")
