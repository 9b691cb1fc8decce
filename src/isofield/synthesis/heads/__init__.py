"""Heads: a face from a basis of scanned ones, with eyes, hair, beard, clothes and glasses."""
