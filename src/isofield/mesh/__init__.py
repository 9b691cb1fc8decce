"""Triangle meshes: read, inspect, measure, sample, write. numpy in, numpy out; no torch."""
