"""From run folders to a verdict and a page: no jax, no pandas.

- tables: metrics.csv as numpy columns
- runs: run folders, with config, versions, metrics, and what they cost
- scores: scores that others produced, and their summary table
- statistics: IQM, bootstrap intervals, the sign-flip test
- verdict: is the agent losing plasticity? a pure function of two arrays
- diagnosis: a diagnosis folder read, checked and judged
- svg, figures: matplotlib figures that take their colours from the page
- html, diagnosis_page, runs_page: self-contained pages
- files, report: what is written, all or nothing
"""
