"""Many runs: their scores, and what these come to.

- scores, human_normalized: final scores, and their summary table
- study: the folder of a study
- tables: gains, aggregates, probabilities of improvement, profiles
- file: the figure function of the file that a study was launched from
"""
