"""The segmentation network: dense language guidance, a class-agnostic decoder, and the segmenter they form."""
