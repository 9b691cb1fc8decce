"""Sets of pictures with known cameras, in anybody's format."""
