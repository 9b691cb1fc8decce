"""Sphinx settings; build with `make docs`."""

from importlib.metadata import version as installed

project = "isofield"
author = "The isofield authors"
version = release = installed("isofield")
extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "isofield"
