"""`method: ensemble` for scenes worked on strip by strip: the functions that a run calls, in their order."""

from paddle_umsft.methods.subspace.kept import is_kept, keep, taken_up
from paddle_umsft.methods.subspace.learn_ensemble import learn
from paddle_umsft.methods.subspace.sample import sample_of, scene_rows

__all__ = ["is_kept", "keep", "learn", "sample_of", "scene_rows", "taken_up"]
