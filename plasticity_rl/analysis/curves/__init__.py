"""Curves that other programs wrote, to a verdict.

- question: what is asked of them
- curve: one metric of one run
- csv_files, arrays, events, own: files of each kind as curves
- names: arm and seed of a run, by its name
- reader: which files there are, and of which kind
- pairing: which runs are compared, over which steps, on which grid
- comparison: all of it; what a page shows
"""
