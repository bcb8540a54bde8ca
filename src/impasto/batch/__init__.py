"""Many pictures: folders, lists, a ledger that remembers what is done, workers that paint."""
