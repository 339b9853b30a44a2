"""The room's one list of names, and who reads it."""

import inspect

import pytest

from spaceforms import losses
from spaceforms.losses import functional, metrics

CLASSES = {"ConeLikelihood", "EntailmentLoss", "Hierarchy", "InfoNCE", "NTXent", "PointQueue"} | {
    "SigmoidPairs",
    "SupervisedContrastive",
    "Triplet",
}


def test_the_room_has_the_functions_of_functional_and_its_classes_and_modules():
    others = {"distributed", "functional", "metrics", "momentum_update", "rising_momentum"}
    assert set(losses.__all__) == {*functional.__all__, *CLASSES, *others}
    assert all(getattr(losses, name) is getattr(functional, name) for name in functional.__all__)


@pytest.mark.parametrize("module", [losses, functional, metrics], ids=lambda m: m.__name__)
def test_a_list_of_names_is_of_what_the_library_wrote_and_nothing_else(module):
    assert list(module.__all__) == sorted(set(module.__all__))
    for name in module.__all__:
        thing = getattr(module, name)
        home = thing.__name__ if inspect.ismodule(thing) else thing.__module__
        assert home.startswith("spaceforms.losses"), name
    assert {n for n in vars(module) if not n.startswith("_")} - set(module.__all__) <= {
        # sub-packages, which the import of their modules binds
        *("common", "entailment", "modules", "pairwise", "probabilistic", "tcl", "laws", "order")
    }
