"""Stores of samples: what shape spaces are trained on."""
