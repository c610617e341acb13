"""`mini`: the embedded small CLIP, a folder that open_clip loads as ``local-dir:``, and the recipe that makes it.

The folder's weights are all that using `mini` needs. The modules here only build them:
``python -m semidavil_core.vlm.mini.recipe``.
"""
