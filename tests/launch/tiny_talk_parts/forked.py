"""Does a small network need an injection?"""

from plasticity_rl.analysis.study.claims import Above
from plasticity_rl.analysis.study.claims import Claim
from plasticity_rl.analysis.study.claims import Within
from plasticity_rl.analysis.study.quantities import Contrast
from plasticity_rl.analysis.study.quantities import Level
from plasticity_rl.analysis.study.quantities import Trend
from tests.launch import tiny_diagnosis

COMMAND = 'diagnose'
CLAIMS = (
  Claim(
    name='gain',
    sentence='Injection gains <nothing>.',
    rules=(
      Within(Contrast('injection', at={'fork.step': 200}), 0.5),
      Above(
        Level(
          'control', column='plasticity/classifier/weight_norm/all', step='fork'
        )
      ),
      Within(Trend(Contrast('injection'), 'fork.step'), 0.5),
    ),
    doubt='A gain.',
  ),
)


def get_config(variant: str = ''):
  if variant != 'tiny':
    raise ValueError(f'unknown variant {variant!r}; valid: tiny')
  return tiny_diagnosis.get_config()


get_sweep = tiny_diagnosis.get_sweep


def figure(study):
  from plasticity_rl.analysis.pages import study_figures

  return study_figures.along_axis(study, 'fork.step')
