"""How good the pictures are: pairs painted with several methods, and judged.

`comparison` paints and judges, and is the file to read first. `metrics` is the judge. `pairs` and
`methods` are what is compared, `records` is what is kept of it, `report` is what is told.
"""
