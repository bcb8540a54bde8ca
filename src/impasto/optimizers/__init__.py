"""Optimisers of pixels, which are asked for one step at a time.

Read `base` first: what an optimiser is, and how the loop uses it. `lbfgs` remembers its past steps
in `lbfgs_history`; `adam` is the other. `by_settings` chooses.
"""
