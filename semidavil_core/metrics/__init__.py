"""Figures of merit over whole data sets."""
