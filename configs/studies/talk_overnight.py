"""What of the talk takes a small computer a night?

A study of studies, as `talk.py`: parts whose `small` variants, about 12 hours
of a core together, are too long for its two. `solid` has more seeds, `tiny` is
for tests; `talk_overnight.py:small,NAME` runs a part alone.
"""

from plasticity_rl.analysis.study import talk

PARTS = (
  'primed_cheetah',
  'asterix_settings',
  'games',
  'quadruped',
)


def get_config(variant: str = ''):
  return talk.config(PARTS, variant)
