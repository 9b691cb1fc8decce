"""The code of a shape space from what was observed of a shape."""
