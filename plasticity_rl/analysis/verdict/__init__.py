"""What came after a fork: statistics, the verdict, and which proxy tells.

- statistics: IQM, bootstrap intervals, the sign-flip test
- rank_correlation: Spearman's, over seeds and forks
- rules, verdict: is the agent losing plasticity? a pure function of two arrays
- diagnosis: a diagnosis folder read, checked and judged
- proxies: many forks of one run, and what told of the injection's benefit
"""
