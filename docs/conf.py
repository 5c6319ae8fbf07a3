"""How Sphinx builds these pages: `sphinx-build -W docs site`."""

import shutil
from pathlib import Path

from sphinx.application import Sphinx

from stream_adapter import __version__

project = "stream_adapter"
author = "the stream_adapter developers"
version = release = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3  # so that one page links to a section of another
default_role = "code"  # what the docstrings have in backticks
smartquotes = False  # a quote in a sentence about code is a quote
html_theme = "furo"
html_title = f"stream_adapter {release}"
exclude_patterns = ["_build"]
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"


def _copy_images(app: Sphinx, _: Exception | None) -> None:
    """Copy the images of `<picture>`, which Sphinx does not see, to where the pages expect them."""
    shutil.copytree(Path(app.srcdir) / "images", Path(app.outdir) / "images", dirs_exist_ok=True)


def setup(app: Sphinx) -> None:
    """Sphinx calls it (its extension API)."""
    app.connect("build-finished", _copy_images)
