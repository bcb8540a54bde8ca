"""What a run computes with: device, precision, threads, memory, and other processes.

Read `compute` first: `Compute` is what a user asks for, `Machine` what it comes to here. Nothing
in this package changes what a picture means, so none of it is part of a recipe. `memory` tells
what is free and gives it back, `worker_memory` how many workers that holds, `onednn` is the fast
way for bfloat16 on processors, `sums` do not depend on the number of threads, `processes` starts
children that get work and may die.
"""
