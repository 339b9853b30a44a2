"""The image-text models, one a file; a line here registers one."""

# isort: off
# The order is that of `spaceforms train --help`.
from .meru import MERU as MERU
from .clip import CLIP as CLIP
from .euclip import EuCLIP as EuCLIP
from .sphere_cones import SphereCones as SphereCones
from .hycoclip import HyCoCLIP as HyCoCLIP
from .phyclip import PHyCLIP as PHyCLIP
