"""Losses as pure functions of tensors; each file holds one, none knows of training."""
