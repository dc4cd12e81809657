"""Deep RL with plasticity injection: does the talk hold on a small computer?

A study of studies: each of `PARTS` is a study of its own in `talk_parts/`, with
the claims that it decides on. The variant is that of every part: `small` takes
two cores under two hours, `solid` a night; `tiny` is for tests.
`talk.py:small,NAME` runs that part alone.
"""

from plasticity_rl.analysis.study import talk

# In the talk's order.
PARTS = (
  'priming',
  'priming_updates',
  'resets_by_replay_ratio',
  'lost_asterix',
  'exploration_limited',
  'healthy',
  'learned',
  'capacity_limited',
  'gain_grid',
  'bigger_net',
  'resets_and_shrink',
  'replay_length',
  'parts_of_injection',
  'when',
)

# Of the figure that opens the page; each is a part.
HEADLINE = 'Four flat curves, four different answers'
CASES = (
  talk.Case(
    'lost',
    part='lost_asterix',
    claim='lost',
    arms=('control', 'injection'),
  ),
  talk.Case(
    'limited by exploration',
    part='exploration_limited',
    claim='exploration_limited',
    at={'agent.epsilon_decay_steps': 30_000},
  ),
  talk.Case('healthy', part='learned', claim='learned'),
  talk.Case(
    'limited by capacity',
    part='capacity_limited',
    claim='capacity_limited',
    at={'network.hidden': (2,)},
  ),
)


def get_config(variant: str = ''):
  return talk.config(PARTS, variant)
