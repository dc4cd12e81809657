"""Writes the Dockerfile of a run, for a CPU, GPUs or TPUs.

  python -m launch.container tpu > Dockerfile
  docker build -t plasticity_rl -f Dockerfile .

XManager builds its container from the same lines.
"""

import sys

from plasticity_rl import cli
from plasticity_rl.errors import UserError
from plasticity_rl.errors import nearest

BASE_IMAGE = 'python:3.11-slim'
# CUDA's libraries come with jax's wheels; the host only needs the driver.
_JAX = {'cpu': 'jax', 'gpu': 'jax[cuda12]', 'tpu': 'jax[tpu]'}
# The libraries that MuJoCo renders with, and git for the revision of a run.
_SYSTEM = 'git libegl1 libgl1 libosmesa6'


def instructions(accelerator: str, project: str = '.') -> list[str]:
  """Lines of a Dockerfile after `FROM`.

  Args:
    accelerator: 'cpu', 'gpu' or 'tpu'.
    project: folder of the project, relative to the context.

  Returns:
    The lines.
  """
  prefix = '' if project == '.' else f'{project}/'
  pip = 'python -m pip install --no-cache-dir -c constraints/py311.txt'
  return [
    'ENV PYTHONUNBUFFERED=1 MUJOCO_GL=egl',
    f'RUN apt-get update && apt-get install -y --no-install-recommends '
    f'{_SYSTEM} && rm -rf /var/lib/apt/lists/*',
    'WORKDIR /workdir',
    # Dependencies come first, because they change less often than the code.
    f'COPY {prefix}setup.py {prefix}pyproject.toml /workdir/',
    f'COPY {prefix}constraints /workdir/constraints',
    f"RUN {pip} '{_JAX[accelerator]}' '.[minatar,atari,dmc,tensorboard]'",
    f'COPY {prefix or "."} /workdir',
    'RUN python -m pip install --no-cache-dir --no-deps -e .',
  ]


def dockerfile(accelerator: str) -> str:
  """The whole Dockerfile; its context is this project."""
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
  """Prints the Dockerfile.

  Raises:
    UserError: the accelerator is missing or unknown.
  """
  if len(argv) != 2:
    raise UserError(f'give an accelerator: {", ".join(_JAX)}')
  if argv[1] not in _JAX:
    raise UserError(nearest('accelerator', argv[1], _JAX))
  sys.stdout.write(dockerfile(argv[1]))


if __name__ == '__main__':
  cli.run(main)
