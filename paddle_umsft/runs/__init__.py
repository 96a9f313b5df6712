"""A run from scenes to results: folder, log, callbacks, checkpoints, VisualDL, report."""
