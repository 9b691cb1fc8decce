"""Point clouds: reading, cleaning, normals. numpy and scipy only, no torch."""
