"""Does a small network need an injection?"""

from plasticity_rl.analysis.study.claims import Above
from plasticity_rl.analysis.study.claims import Claim
from plasticity_rl.analysis.study.claims import Within
from plasticity_rl.analysis.study.quantities import Contrast
from plasticity_rl.analysis.study.quantities import Level
from tests.launch import tiny_diagnosis

COMMAND = 'diagnose'
CLAIMS = (
  Claim(
    name='gain',
    sentence='Injection gains <nothing>.',
    rules=(
      Within(Contrast('injection', at={'fork.step': 100}), 0.5),
      Above(
        Level(
          'control', column='plasticity/classifier/weight_norm/all', step='fork'
        )
      ),
    ),
    doubt='A gain.',
  ),
)


def get_config(variant: str = ''):
  if variant != 'tiny':
    raise ValueError(f'unknown variant {variant!r}; valid: tiny')
  return tiny_diagnosis.get_config()


def get_sweep(h):
  return h.sweep('fork.step', [100])


def figure(study):
  from plasticity_rl.analysis.pages import study_figures

  return study_figures.arms(study)
