"""Families of shapes that never end: from a seed to closed, coloured, labelled parts."""
