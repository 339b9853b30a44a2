"""Sphinx configuration. `make docs` builds with every warning an error."""

import contextlib
import re
import runpy
import sys
from pathlib import Path

import matplotlib.pyplot as plt
from sphinx.util.nodes import make_refnode

import spaceforms
from spaceforms.validation.symbolic.page import write_page

sys.path.insert(0, str(Path(__file__).parent))  # for gallery_style

project = "spaceforms"
author = "The spaceforms developers"
project_copyright = author
version = release = spaceforms.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
# Docstrings are read in editors and in `help()` too: there `x` is code and |x| is a norm.
default_role = "literal"
exclude_patterns = ["_build", "_generated"]
myst_enable_extensions = ["amsmath", "colon_fence", "dollarmath"]
myst_heading_anchors = 3

autodoc_default_options = {
    "members": True,
    "imported-members": True,
    "member-order": "bysource",
    "exclude-members": "extra_repr, design",
    "show-inheritance": True,
}
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
python_maximum_signature_line_length = 88

# Each example of examples/gallery runs and leaves its picture; one that did not change, once.
sphinx_gallery_conf = {
    "examples_dirs": "../examples/gallery",
    "gallery_dirs": "gallery",
    "filename_pattern": r"/plot_",
    "subsection_order": [
        f"../examples/gallery/{name}" for name in ("start", "geometry", "stats", "laws", "losses")
    ],
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "reset_modules": ("matplotlib", "gallery_style.reset"),
    "doc_module": ("spaceforms",),
    "backreferences_dir": "gallery/uses",
    "reference_url": {"spaceforms": None},
    "image_srcset": ["2x"],
    "remove_config_comments": True,
    "show_signature": False,
    "capture_repr": (),
    "download_all_examples": False,
    "min_reported_time": 60,
    "write_computation_times": False,
}

html_theme = "furo"
html_title = f"spaceforms {release}"
html_static_path = ["_static"]
html_css_files = ["tables.css", "gallery.css"]
copybutton_exclude = ".linenos, .gp, .go"


# Formulas and code, where a bar is not a norm's: a math block, an inline literal, a role.
_SPARED = re.compile(
    r"(?m)^(?P<margin> *)\.\. math::.*(?:\n(?:(?P=margin) +.*| *$))*|``.*?``|(?::\w+:)?`[^`]*`"
)


def escape_bars(app, what, name, obj, options, lines):
    """Let |x| mean a norm: in prose a bar is a bar, not a substitution."""
    text = "\n".join(lines)
    spared = [match.span() for match in _SPARED.finditer(text)]
    for bar in reversed([match.start() for match in re.finditer(r"(?<!\\)\|", text)]):
        if not any(start <= bar < end for start, end in spared):
            text = f"{text[:bar]}\\{text[bar:]}"
    lines[:] = text.split("\n")


def keep_colons(app, what, name, obj, options, lines):
    """Let an attribute's words have a colon: napoleon takes what is before it for a type."""
    if what in ("attribute", "data", "property"):
        lines[:0] = ["..", ""]  # an empty comment, in which it finds none


def link_examples(app, what, name, obj, options, lines):
    """Say under a name of the API which examples of the gallery use it."""
    uses = Path(app.srcdir) / "gallery" / "uses" / f"{name}.examples"
    found = re.findall(r":ref:`(sphx_glr_\w+\.py)`", uses.read_text()) if uses.is_file() else []
    if found:
        links = ", ".join(f":ref:`{label}`" for label in dict.fromkeys(found))
        lines += ["", f"In the gallery: {links}.", ""]


def link_bare_names(app, env, node, contnode):
    """Link a name as docstrings have it, Manifold.mean, from whatever room it stands in."""
    objects = env.domains["py"].objects
    name = node["reftarget"]
    found = [full for full in objects if node["refdomain"] == "py" and full.endswith(f".{name}")]
    if len(found) != 1:
        return None
    there = objects[found[0]]
    return make_refnode(
        app.builder, node["refdoc"], there.docname, there.node_id, contnode, found[0]
    )


def write_derivations(app):
    """Prove the derivations and print them: the page exists only as the program's output."""
    write_page(Path(app.srcdir) / "derivations.md")


def write_structure(app):
    """Read layers, imports and kernels from the code, for the page of the architecture."""
    structure = runpy.run_path(str(Path(app.srcdir) / "structure.py"))
    structure["write_all"](Path(app.srcdir) / "_generated")


def write_reference(app):
    """A page for each class or family of functions, and a summary for each room."""
    pages = runpy.run_path(str(Path(app.srcdir) / "api_pages.py"))
    pages["write_all"](Path(app.srcdir) / "api", Path(app.srcdir) / "_generated" / "api")


def leave_out_copies(app, what, name, member, skip, options):
    """A method that a manifold inherits is printed with Manifold, though each class has a copy."""
    return True if getattr(member, "__dict__", {}).get("inherited") else None


def draw_examples(app):
    """Run the examples that draw: the pictures of the guide exist only as their output."""
    pictures = Path(app.srcdir) / "_pictures"
    pictures.mkdir(exist_ok=True)
    with contextlib.chdir(pictures):
        for example in sorted((Path(app.srcdir).parent / "examples").glob("plot_*.py")):
            plt.rcdefaults()  # not the gallery's style
            runpy.run_path(str(example), run_name="__main__")
            plt.close("all")  # or the first example of the gallery would have them


def setup(app):
    app.connect("builder-inited", write_derivations)
    app.connect("builder-inited", draw_examples)
    app.connect("builder-inited", write_structure)
    app.connect("builder-inited", write_reference)
    app.connect("missing-reference", link_bare_names)
    app.connect("autodoc-skip-member", leave_out_copies)
    app.connect("autodoc-process-docstring", escape_bars, priority=900)  # after napoleon
    app.connect("autodoc-process-docstring", link_examples, priority=950)  # after the bars
    app.connect("autodoc-process-docstring", keep_colons, priority=100)  # before it
