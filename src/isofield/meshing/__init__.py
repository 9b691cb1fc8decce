"""From fields to surfaces: marching cubes and squares, extraction with few queries, sections, decimation."""
