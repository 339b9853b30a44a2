"""Options of models that several have: what they mean, once for all of them.

Which of them a model has, of what type and with what default, says the signature of its ``design``;
an option that no other model has is explained in the model's file (``own_options``).
"""

from typing import NamedTuple


class Option(NamedTuple):
    """What ``--help`` says of an option, what of a model that has None for its default, and the
    most that a run may ask for: beyond it all memory is taken before anything is said."""

    words: str
    unset: str = "none"
    most: int | None = None


SHARED = {
    "curvature": Option(
        "The initial curvature: negative for hyperboloids, positive for sphere-cones; 1 in size if "
        "not given. This and the next options to min-radius are the model's own where they are not "
        "given, and are refused for a model that has no such thing."
    ),
    "learn_curvature": Option("Whether the curvature is learned, within a factor of 10."),
    "logits": Option(
        "What the contrastive loss compares by: distance, its square, or the inner product.",
        unset="by curvature",
    ),
    "entail_weight": Option("Weight of the entailment of a picture by its caption; 0 for none."),
    "chain_weight": Option(
        "Weight of each entailment above it: of a caption by its subgroup, of that by its group."
    ),
    "exclude_weight": Option(
        "Weight, beside these, of keeping out of cones what does not belong in them."
    ),
    "links": Option(
        "With chain-weight, what entails what: each text the next below it, or all below it, "
        "pictures too."
    ),
    "compositional": Option("Also contrast pictures with the texts above their captions."),
    "learn_alpha": Option("Whether the scale of each encoder's features is learned."),
    "fixed_radius": Option(
        "All points at this distance from the origin: a control.", unset="not fixed"
    ),
    "min_radius": Option("The cones' minimal radius."),
    "aperture_scale": Option(
        "The share of a cone's half-aperture that pictures are trained to lie within."
    ),
}
