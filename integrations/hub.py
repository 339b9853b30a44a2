"""Runs of ``spaceforms train`` on the Hub of Hugging Face, by huggingface_hub's mixin.

HubRun(load_run("runs/mine")).push_to_hub("me/my-model")
run = HubRun.from_pretrained("me/my-model").run
"""

import shutil
from pathlib import Path
from typing import Any, Self

from huggingface_hub import ModelHubMixin, snapshot_download

from ..models import Run, load_run
from ..models.training.checkpoint import CONFIG, EMA, MODEL, TOKENIZER

__all__ = ["HubRun"]

_FILES = (CONFIG, MODEL, TOKENIZER, EMA)
_CARD = """---
{{ card_data }}
---

# A model of pictures and captions as points of one manifold

A run of `spaceforms train`, to be opened with

```python
from spaceforms.integrations.hub import HubRun

run = HubRun.from_pretrained("THIS/REPOSITORY").run
points = run.encode_texts(["a red fox"])
```
"""


class HubRun(
    ModelHubMixin, library_name="spaceforms", tags=["spaceforms"], model_card_template=_CARD
):
    """A run with ``save_pretrained``, ``from_pretrained`` and ``push_to_hub``.

    What is kept is what :func:`~spaceforms.models.load_run` needs: configuration, tokenizer,
    weights, and averaged weights if there are any; not the state of the optimiser, the log, or
    results.
    ``from_pretrained`` takes a folder too, and then asks nothing of any server; it takes
    ``load_run``'s ``device`` and ``ema``.

    Attributes:
        run: the :class:`~spaceforms.models.Run`.
    """

    def __init__(self, run: Run) -> None:
        self.run = run

    def _save_pretrained(self, save_directory: Path) -> None:
        for name in _FILES:
            if (self.run.folder / name).is_file():
                shutil.copyfile(self.run.folder / name, save_directory / name)

    @classmethod
    def _from_pretrained(
        cls,
        *,
        model_id: str,
        device: str = "cpu",
        ema: bool = False,
        **options: Any,
    ) -> Self:
        folder = Path(model_id)
        if not folder.is_dir():
            names = ("revision", "cache_dir", "force_download", "local_files_only", "token")
            where = {name: options[name] for name in names if name in options}
            folder = Path(snapshot_download(model_id, allow_patterns=list(_FILES), **where))
        return cls(load_run(folder, device=device, ema=ema))
