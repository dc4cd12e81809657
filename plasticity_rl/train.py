"""Trains an agent; the same command resumes.

  python -m plasticity_rl.train --config=configs/continual_catch.py \
      --workdir=runs/catch [--config.optimizer.learning_rate=1e-3]

On several hosts, run the same command on each, with the address of the first
process, the number of this process, and a shared --workdir:

  ... --coordinator=10.0.0.2:1234 --num_processes=4 --process_id=0

or with --distributed=auto on a TPU pod, or under Slurm, Open MPI or Kubernetes,
where jax finds the other processes.
"""

from absl import flags
from ml_collections import config_flags

from plasticity_rl import api
from plasticity_rl import cli
from plasticity_rl import paths
from plasticity_rl import settings as settings_lib
from plasticity_rl.distributed import address
from plasticity_rl.distributed import hosts

_CONFIG = config_flags.DEFINE_config_file(
  'config',
  None,
  'Config file, or name of one installed, with an optional `:variant`.',
)
_WORKDIR = flags.DEFINE_string('workdir', None, 'Folder of the run.')
_UNTIL = flags.DEFINE_integer(
  'until',
  None,
  'Stop at this step and save; the same command without it continues.',
)

_COORDINATOR = flags.DEFINE_string(
  'coordinator', None, 'ADDRESS:PORT of the first of several processes.'
)
_NUM_PROCESSES = flags.DEFINE_integer(
  'num_processes', None, 'Number of processes that train together.'
)
_PROCESS_ID = flags.DEFINE_integer(
  'process_id', None, 'Number of this process, from 0.'
)
_DISTRIBUTED = flags.DEFINE_enum(
  'distributed',
  'no',
  ('no', 'auto'),
  'auto: jax finds the other processes, '
  'on a TPU pod, and under Slurm, Open MPI and Kubernetes.',
)
_START_TIMEOUT = flags.DEFINE_integer(
  'start_timeout',
  300,
  'Seconds to wait for all processes to start.',
  lower_bound=1,
)
_HOST_TIMEOUT = flags.DEFINE_float(
  'host_timeout',
  60,
  'Seconds after which a silent process counts as dead, and the others stop.',
  lower_bound=1,
)
flags.declare_key_flag('compilation_cache')
flags.declare_key_flag('cpu_devices')


def main(argv: list[str]) -> None:
  """Checks everything, then trains.

  Raises:
    UserError: flags or the config are not valid.
    RunError: the run cannot continue.
  """
  cli.refuse_positionals(argv)
  config = cli.require('config', _CONFIG.value)
  workdir = paths.given('--workdir', cli.require('workdir', _WORKDIR.value))
  settings = settings_lib.resolve(config)
  where = address.from_flags(
    _COORDINATOR.value,
    _NUM_PROCESSES.value,
    _PROCESS_ID.value,
    _DISTRIBUTED.value,
  )
  if where is None:
    cli.give_threads(settings)
  with hosts.joined(
    where, start_timeout=_START_TIMEOUT.value, timeout=_HOST_TIMEOUT.value
  ):
    metrics = api.run_training(
      settings,
      workdir,
      _UNTIL.value,
      until_is='--until',
    )
    if hosts.is_first():
      print(f'metrics: {metrics}')


if __name__ == '__main__':
  cli.run(main)
else:
  api.make_callable(__name__, api.train)
