"""From a segmenter and an image of any size to a prediction."""
