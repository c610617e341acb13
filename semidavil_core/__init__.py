"""SemiDAViL: semi-supervised domain adaptation of segmentation models with vision-language guidance.

The package is free of Qt and napari. ``requests`` and ``events`` are its whole conversation with a window; the pipeline's
folders, in order, are ``data``, ``vlm``, ``model``, ``losses``, ``metrics``, ``adaptation``, ``inference``, ``export`` and ``engine``.
"""

__version__ = "0.1.0"
