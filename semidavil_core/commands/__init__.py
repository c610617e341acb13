"""The commands of ``semidavil``: one file each, and what they share."""
