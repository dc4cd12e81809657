"""Runs a study by XManager: on Vertex AI, on Kubernetes, or in local Docker.

  python -m launch.xmanager --config=configs/studies/when_to_inject.py \
      --workdir=/gcs/BUCKET/when --executor=vertex --accelerator=a100=1
  python -m launch.xmanager --config=... --workdir=/gcs/BUCKET/when \
      --executor=kubernetes --accelerator=tpu_v5e=4x4

Every run is a work unit. `--workdir` is a folder that all containers share; on
Vertex AI a bucket is mounted as `/gcs/BUCKET`. A prefix that several work units
share is trained by the first of them; the others wait for it. The same command
adds work units for the runs that are not done yet, if the folder is visible
from this machine; otherwise for all runs, and those that are done end at once.
"""

import pathlib
from typing import TYPE_CHECKING

from absl import flags

from plasticity_rl import cli
from plasticity_rl.errors import UserError
from plasticity_rl.errors import install_command

from . import commands
from . import container
from . import launcher

if TYPE_CHECKING:
  from xmanager import xm

_EXECUTOR = flags.DEFINE_enum(
  'executor',
  'vertex',
  ['vertex', 'kubernetes', 'local'],
  'Where work units run.',
)
_ACCELERATOR = flags.DEFINE_string(
  'accelerator', None, 'TYPE=COUNT or TPU=TOPOLOGY, e.g. a100=1, tpu_v5e=4x4.'
)
_CPUS = flags.DEFINE_integer('cpus', 4, 'Cores of a work unit.')
_RAM = flags.DEFINE_integer('ram_gib', 16, 'Memory of a work unit, GiB.')
_IMAGE = flags.DEFINE_string(
  'image', None, 'An existing container image; default: build one.'
)
_PROJECT = pathlib.Path(__file__).resolve().parents[1]


def requirements() -> 'xm.JobRequirements':
  """The resources of a work unit.

  Raises:
    UserError: --accelerator is not valid.
  """
  from xmanager import xm

  resources = {'cpu': _CPUS.value, 'ram': _RAM.value * xm.GiB}
  if _ACCELERATOR.value:
    kind, equals, amount = _ACCELERATOR.value.partition('=')
    if not (kind and equals and amount):
      raise UserError(
        '--accelerator is TYPE=COUNT or TPU=TOPOLOGY, not '
        f'{_ACCELERATOR.value!r}'
      )
    resources[kind] = amount if 'x' in amount else _number(amount)
  try:
    return xm.JobRequirements(resources)
  except (
    KeyError,
    ValueError,
    AttributeError,
    xm.InvalidTpuTopologyError,
  ) as error:
    raise UserError(f'XManager: {type(error).__name__}: {error}') from None


def _number(text):
  try:
    return int(text)
  except ValueError:
    raise UserError(
      f'--accelerator: {text!r} is neither a number nor a topology'
    ) from None


def executor() -> 'xm.Executor':
  """The executor of a work unit, with its resources.

  Raises:
    UserError: --accelerator is not valid.
  """
  from xmanager import xm_local

  if _EXECUTOR.value == 'vertex':
    return xm_local.Vertex(requirements=requirements())
  if _EXECUTOR.value == 'kubernetes':
    return xm_local.Kubernetes(requirements=requirements())
  return xm_local.Local(requirements=requirements())


def packageable(place: 'xm.Executor') -> 'xm.Packageable':
  """The container of the work units.

  Raises:
    UserError: there is no checkout from which to build a container.
  """
  from xmanager import xm

  if _IMAGE.value:
    spec = xm.Container(image_path=_IMAGE.value)
  else:
    if not (_PROJECT / 'setup.py').is_file():
      raise UserError(
        f'there is no checkout in {_PROJECT} to build a container of; give '
        '--image, or launch from a checkout'
      )
    kind = 'cpu'
    if _ACCELERATOR.value:
      kind = 'tpu' if _ACCELERATOR.value.startswith('tpu') else 'gpu'
    spec = xm.PythonContainer(
      entrypoint=xm.ModuleName('launch.remote'),
      path=str(_PROJECT),
      base_image=container.BASE_IMAGE,
      docker_instructions=container.instructions(kind, _PROJECT.name),
      use_deep_module=True,
    )
  return xm.Packageable(spec, place.Spec())


def arguments(launch: launcher.Launch, name: str) -> list[str]:
  """The command line of a work unit, after `python -m launch.remote`."""
  study = launch.study
  # The values of the flags, whichever way they were written.
  sweeps = [
    f'--{flag}={flags.FLAGS[flag].value}'
    for flag in flags.FLAGS
    if flag.startswith('sweep.')
  ]
  if flags.FLAGS.batch_seeds is not None:
    sweeps.append(f'--batch_seeds={flags.FLAGS.batch_seeds}')
  return [
    f'--config={study.source}',
    f'--workdir={launch.folder}',
    f'--job={name}',
    *commands.words(study.common),
    *sweeps,
  ]


def add(experiment: 'xm.Experiment', launch: launcher.Launch) -> int:
  """Packages the container and adds a work unit for each run.

  Returns:
    The number of work units.

  Raises:
    UserError: there is no checkout, or --accelerator is not valid.
  """
  from xmanager import xm

  place = executor()
  [executable] = experiment.package([packageable(place)])
  runs = [n for n in launch.todo if launch.jobs[n]['kind'] != 'prefix']
  for name in runs:
    job = xm.Job(
      executable=executable,
      executor=executor(),
      args=xm.SequentialArgs.from_collection(arguments(launch, name)),
    )
    experiment.add(xm.JobGroup(run=job), identity='')
  return len(runs)


def main(argv: list[str]) -> None:
  """Adds the work units.

  Raises:
    UserError: flags or the study are not valid, or XManager fails.
  """
  _require()
  requirements()
  # The containers create the folder, and have the packages of the runs.
  launch = launcher.begin(argv, make=False, here=False)
  if launcher.is_dry_run():
    launcher.list_jobs(launch)
    return
  launcher.say(launch)
  from xmanager import xm_local

  try:
    with xm_local.create_experiment(
      experiment_title=launch.study.title
    ) as experiment:
      count = add(experiment, launch)
  except UserError:
    raise
  except Exception as error:  # From Docker, Google Cloud or Kubernetes.
    raise UserError(f'XManager: {type(error).__name__}: {error}') from error
  print(f'{count} work units')


def _require():
  """Refuses a machine without xmanager."""
  try:
    from xmanager import xm
  except ImportError:
    raise UserError(
      f'xmanager is not installed: {install_command("xmanager")}'
    ) from None
  del xm


if __name__ == '__main__':
  cli.run(main, define=launcher.define)
