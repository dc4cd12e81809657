"""The studies in configs/studies: each variant builds, and is described."""

import pathlib

import pytest

from launch import batching
from launch import sharing
from launch import study as study_lib
from plasticity_rl.forks import diagnosis
from plasticity_rl.run import runner
from plasticity_rl.training import experiment as experiment_lib

FOLDER = pathlib.Path(__file__).parents[2] / 'configs' / 'studies'
STUDIES = sorted(
  path.stem
  for path in FOLDER.glob('*.py')
  if 'def get_sweep' in path.read_text()
)
# Full studies stand on these.
BASES = ('dqn_atari', 'sac_dmc', 'drq_dmc')


def _build(name, variant):
  source = f'configs/studies/{name}.py' + (f':{variant}' if variant else '')
  module = study_lib.load(source)
  return module, study_lib.build(source, module.get_config(variant))


def test_the_questions_of_the_talk_are_all_there():
  assert set(STUDIES) == {
    'injection_over_games',
    'when_to_inject',
    'injection_vs_resets',
    'injection_vs_bigger_net',
    'replay_ratio_lr_width',
    'ablations',
    'proxies_vs_benefit',
    'heavy_priming',
    'resets_sac_drq',
    'simba_vs_sac',
  }


@pytest.mark.parametrize('name', STUDIES)
def test_the_small_variant(name):
  module, study = _build(name, 'small')
  assert len(study.runs) >= 2 and study.title.endswith('?')
  assert callable(module.figure)
  for run in study.runs:
    assert run.settings.num_seeds >= 4
  with pytest.raises(ValueError, match='valid: '):
    module.get_config('smal')


@pytest.mark.parametrize('variant', ('', 'small', 'tiny'))
def test_priming_is_on_the_first_transitions_and_just_before_the_fork(variant):
  _, study = _build('heavy_priming', variant)
  for run in study.runs:
    assert run.settings.replay.min_size <= 300
    assert run.settings.num_steps == run.settings.replay.min_size
    assert run.settings.fork.step == -1


@pytest.mark.parametrize('name', STUDIES)
def test_the_full_variant(name):
  text = (FOLDER / f'{name}.py').read_text()
  line = 'from plasticity_rl.configs import '
  bases = [base for base in BASES if line + base in text]
  assert bases
  variants = ['', *(['drq'] if "'drq'" in text else [])]
  for variant in variants:
    _, study = _build(name, variant)
    assert len(study.runs) >= 10
    # Seeds of environments on the host are not batched into one program.
    assert len(batching.merge(study.runs)) == len(study.runs)
    sharing.plan(study)


@pytest.mark.parametrize('name', STUDIES)
def test_the_runs_could_be_run(name):
  """Every one of the tiny variant, and one of the small."""
  _, study = _build(name, 'tiny')
  _, small = _build(name, 'small')
  for run in (*study.runs, small.runs[-1]):
    if study.command == study_lib.DIAGNOSE:
      diagnosis.plan(run.settings)
    else:
      runner.check(experiment_lib.build(run.settings))
