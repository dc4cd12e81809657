"""Where the processes of one run meet, as the flags of a command say it."""

from typing import NamedTuple

from plasticity_rl.errors import UserError


class Address(NamedTuple):
  """Where the processes meet, and which of them this one is.

  Attributes:
    coordinator: ADDRESS:PORT at the first process; '' where jax finds it by
      itself, on a TPU pod, under Slurm, Open MPI and Kubernetes.
    count: the number of processes; 0 where jax finds it.
    index: the number of this process, from 0; -1 where jax finds it.
  """

  coordinator: str = ''
  count: int = 0
  index: int = -1


def from_flags(
  coordinator: str | None,
  count: int | None,
  index: int | None,
  distributed: str,
) -> Address | None:
  """The address that the flags of a command give; None for a single process.

  Args:
    coordinator: --coordinator.
    count: --num_processes.
    index: --process_id.
    distributed: --distributed, 'no' or 'auto'.

  Raises:
    UserError: some flags are missing, contradict one another, or are out of
      range.
  """
  given = {
    '--coordinator': coordinator,
    '--num_processes': count,
    '--process_id': index,
  }
  missing = [name for name, value in given.items() if value is None]
  if distributed == 'auto':
    if len(missing) < len(given):
      raise UserError(
        '--distributed=auto finds the other processes by itself: leave out '
        + ', '.join(name for name in given if name not in missing)
      )
    return Address()
  if len(missing) == len(given):
    return None
  if missing:
    raise UserError(
      f'{", ".join(given)} go together: {", ".join(missing)} missing'
    )
  host, _, port = coordinator.rpartition(':')
  if not host or not port.isdigit() or not 0 < int(port) < 2**16:
    raise UserError(f'--coordinator must be ADDRESS:PORT: {coordinator!r}')
  if count < 1:
    raise UserError(f'--num_processes must be at least 1: {count}')
  if not 0 <= index < count:
    raise UserError(
      f'--process_id must be 0 to {count - 1}, for --num_processes={count}: '
      f'{index}'
    )
  return Address(coordinator, count, index)
