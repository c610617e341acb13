"""The napari window of SemiDAViL: it asks an engine process and draws what it answers; it never imports torch."""
