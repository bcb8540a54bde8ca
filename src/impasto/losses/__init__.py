"""What is compared: distances between pictures in their features, each with formula and source.

Read `statistics` first: most style losses see the features only through sums that add. Then
`moments` has ``gram``, ``covariance`` and ``mean-std``, `wasserstein` the loss of that name, and
`style` says which of these there are. `features` has the style losses that need more than those
sums: the features themselves. `spectrum` looks at the pixels. `content`, `self_similarity` and
`total_variation` are the other terms; `focus` says where the content counts. How each is scaled
stands in `normalization`, once. No loss knows the network or a file.
"""
