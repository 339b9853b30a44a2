"""spaceforms: geometry you can trust, and losses that stand on it.

The rooms are ``spaceforms.manifolds``, ``spaceforms.losses``, ``spaceforms.distributions``,
``spaceforms.datasets``, ``spaceforms.models``, ``spaceforms.plotting``, ``spaceforms.search``,
``spaceforms.stats`` and ``spaceforms.validation``; import the one you need.
``import spaceforms`` by itself loads nothing heavy.
"""

from importlib.metadata import PackageNotFoundError, version as _version

try:
    __version__ = _version("spaceforms")
except PackageNotFoundError:  # a source tree on sys.path that was never installed
    __version__ = "0+unknown"
