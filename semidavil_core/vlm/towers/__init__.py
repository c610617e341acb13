"""One file per family of open_clip image towers; `clip_towers.build_tower` chooses among them."""
