"""What impasto is judged by: how good its pictures are, and what they cost.

`quality` compares pictures of many methods, `speed` measures time and memory. Both are programs for
the command line, and `README.md` says how to run them. Read `program` first for what they share.
"""
