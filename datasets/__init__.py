"""Real data inside the package: emoji pictures with their names, and two WordNet hierarchies; and
readers of pictures with captions from folders and tar shards.

Nothing is downloaded. Every random draw made here (caption, augmentation, order of an epoch) is a
pure function of a seed, an epoch and an item, so a run can stop and go on to the same numbers.
"""

from .augment import Augmentation as Augmentation
from .captions import CaptionMix as CaptionMix, draw_captions as draw_captions
from .concept import Concept as Concept
from .dataset import (
    Batch as Batch,
    EmojiDataset as EmojiDataset,
    GeneralTexts as GeneralTexts,
)
from .emoji import EmojiData as EmojiData, load_emoji as load_emoji
from .export import emoji_rows as emoji_rows, pair_rows as pair_rows
from .folder import Folder as Folder
from .hierarchy import LEVELS as LEVELS, Hierarchy as Hierarchy
from .pair import Fault as Fault, Pair as Pair, Pairs as Pairs
from .shards import Shards as Shards, write_shards as write_shards
from .splits import SPLITS as SPLITS, Split as Split
from .stream import Stream as Stream, open_pairs as open_pairs
from .wordnet import (
    Taxonomy as Taxonomy,
    load_mammals as load_mammals,
    load_wordnet_nouns as load_wordnet_nouns,
)
