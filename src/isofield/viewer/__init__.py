"""The viewer: meshes, clouds and runs side by side, in the browser or as one picture."""

from isofield.viewer.run import run_view

__all__ = ["run_view"]
