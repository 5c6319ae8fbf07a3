"""How Sphinx builds these pages: `sphinx-build -W docs site`."""

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
