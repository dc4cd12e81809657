"""The container of a run, for GPUs, TPUs or neither.

  python -m launch.container tpu > Dockerfile
  docker build -t plasticity_rl -f Dockerfile .

XManager builds the same from the same lines.
"""

import sys

from plasticity_rl import cli
from plasticity_rl.errors import UserError
from plasticity_rl.errors import nearest

BASE_IMAGE = 'python:3.11-slim'
# CUDA's libraries come with jax's wheels: the host needs a driver alone.
_JAX = {'cpu': 'jax', 'gpu': 'jax[cuda12]', 'tpu': 'jax[tpu]'}
# What MuJoCo renders with, and git for the revision of a run.
_SYSTEM = 'git libegl1 libgl1 libosmesa6'


def instructions(accelerator: str, project: str = '.') -> list[str]:
  """Lines of a Dockerfile after `FROM`, for a project in its context."""
  prefix = '' if project == '.' else f'{project}/'
  pip = 'python -m pip install --no-cache-dir -c constraints/py311.txt'
  return [
    'ENV PYTHONUNBUFFERED=1 MUJOCO_GL=egl',
    f'RUN apt-get update && apt-get install -y --no-install-recommends '
    f'{_SYSTEM} && rm -rf /var/lib/apt/lists/*',
    'WORKDIR /workdir',
    # What is installed changes less often than the code.
    f'COPY {prefix}setup.py {prefix}pyproject.toml /workdir/',
    f'COPY {prefix}constraints /workdir/constraints',
    f"RUN {pip} '{_JAX[accelerator]}' '.[minatar,atari,dmc,tensorboard]'",
    f'COPY {prefix or "."} /workdir',
    'RUN python -m pip install --no-cache-dir --no-deps -e .',
  ]


def dockerfile(accelerator: str) -> str:
  """The whole file, whose context is this project."""
  return (
    '\n'.join(
      [
        f'FROM {BASE_IMAGE}',
        *instructions(accelerator),
        'ENTRYPOINT ["python", "-m", "launch.remote"]',
      ]
    )
    + '\n'
  )


def main(argv: list[str]) -> None:
  """Prints it."""
  if len(argv) != 2:
    raise UserError(f'say for what: one of {", ".join(_JAX)}')
  if argv[1] not in _JAX:
    raise UserError(nearest('accelerator', argv[1], _JAX))
  sys.stdout.write(dockerfile(argv[1]))


if __name__ == '__main__':
  cli.run(main)
