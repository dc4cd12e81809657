"""How much memory a run takes, from its settings alone. Of the host.

Where replays are on the device, and the device is the host's processor, a run
holds its replay twice: as the state, and as the copy that a checkpoint is
written from.
"""

import pathlib

from plasticity_rl import settings as settings_lib

# A process that trains a small network on a CPU, measured: 0.55 to 0.75 GiB.
BASE_BYTES = int(0.75 * 2**30)
_COPIES = 2
_SCALARS = 16  # Bytes of action, reward, discount and flags.


def observation_bytes(settings: settings_lib.Settings) -> int | None:
  """Bytes that a replay keeps of a transition; None if it is not known.

  Small observations are kept twice, before and after the action; frames once.
  """
  name, options = settings.environment.name, settings.environment_options
  if name == 'catch':
    return 2 * 4 * options['rows'] * options['columns']
  if name.startswith('minatar_'):
    return 2 * 10 * 10 * 10  # Up to ten channels of bits in bytes.
  if name.startswith('atari'):
    return 84 * 84
  if name.startswith('dmc') and 'pixels' in name:
    return 3 * 84 * 84
  if name.startswith('dmc'):
    return 2 * 4 * 100
  return None


def of_run(settings: settings_lib.Settings) -> int | None:
  """Bytes; None if it cannot be told."""
  capacity = getattr(settings.replay, 'capacity', 0)
  if not capacity:
    return BASE_BYTES
  size = observation_bytes(settings)
  if size is None:
    return None
  kept = settings.num_seeds * capacity * (size + _SCALARS)
  return BASE_BYTES + _COPIES * kept


def available() -> int | None:
  """Bytes that new processes can have; None if the system does not say."""
  try:
    lines = pathlib.Path('/proc/meminfo').read_text().splitlines()
  except OSError:
    return None
  for line in lines:
    if line.startswith('MemAvailable:'):
      return int(line.split()[1]) * 1024
  return None
