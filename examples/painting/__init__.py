"""The four sample styles, and what they are painted with."""
