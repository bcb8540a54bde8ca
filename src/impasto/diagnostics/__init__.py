"""What a machine can do: is all well here (`doctor`), and how fast does it paint (`bench`)?

Read `bench` first for the second question: it decides what is measured and has each row measured
by `bench_row`, in a child process, with what `bench_steps` times.
"""
