"""Many pictures: folders and lists in, workers that paint, a ledger that knows what is done.

How a row becomes a picture::

    files, folders, lists ── rows, list_files ──> BatchRow   what was named, one for each picture
        ── pairing, naming ──> BatchJob                  content, styles, settings, name of result
        ── batch_plan, ledger ──> BatchPlan              without those that are done already
        ── batch_run ──> WorkOrder                       a numbered job
        ── engine ──> its workers                        local_engine (processes here) or ray_engine
            ── worker_process, order_painter ──> paints  PaintingBegun, PaintingProgress, ...
        <── worker_messages ──                           PicturePainted, PictureFailed, PictureLost
    batch_run: picture into the storage, then a line into the ledger ──> BatchResult

Read `batch_run` first. Its two callers are `stylize_many`, for Python, and the command
``impasto batch``. Beside the way of a picture lie `batch_lock` (one batch at a time in a folder),
`choose_engine` (who paints, how many at a time), `input_files` (paths, URLs), `estimate` (how long
it will take), and what looks at a ledger: `status`, `gallery`.
"""
