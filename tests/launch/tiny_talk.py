"""Does a talk of two tiny parts hold?"""

from plasticity_rl.analysis.study import talk
from plasticity_rl.analysis.study.talk import Case

PARTS = ('forked', 'trained')
HEADLINE = 'Two curves, two answers'
CASES = (
  Case('healthy', part='forked', claim='gain', at={'fork.step': 100}),
  Case('lost', part='trained', claim='order', arms=('control', 'reset')),
)


def get_config(variant: str = ''):
  return talk.config(PARTS, variant)
