"""Reconstructions without a network: oriented points in, fields out."""
