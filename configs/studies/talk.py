"""Deep RL with plasticity injection: does the talk hold on a small computer?

A study of studies: each of `PARTS` is a study of its own in `talk_parts/`, with
the claims that it decides on. The variant is that of every part: `small` takes
two cores under two hours, `solid` a night; `tiny` is for tests.
`talk.py:small,NAME` runs that part alone.
"""

from plasticity_rl.analysis.study import talk

# In the talk's order.
PARTS = ('gain_by_learning_rate',)

# Of the figure that opens the page; each is a part.
HEADLINE = 'Four flat curves, four different answers'
CASES: tuple[talk.Case, ...] = ()


def get_config(variant: str = ''):
  return talk.config(PARTS, variant)
