"""The project: one folder that holds an annotation job completely.

::

    project.json            what belongs to it: images, settings, view (schema_version; unknown keys are kept)
    classes.json            the class set, as every command reads it
    scribbles/STEM.png      strokes as class values, one file per image plane; 255 is unlabelled
    images/STEM.tif         copies of images that are no files
    rounds/0001/            round.json (scores) and bundle/ (the model after it)
    .lock                   held by the window that has it open

Every file is written beside its place and renamed, so a kill at any moment leaves each as it was before or as it is after. Nothing here
needs torch.
"""
