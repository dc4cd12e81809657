"""Packaging: what the framework needs, and in which versions.

Every requirement has two bounds. The upper one is the release line that the
whole test suite was run on (`constraints/py*.txt` hold the exact releases).
The lower one is `constraints/lowest.txt`, which `make test-lowest` installs on
Python 3.11 and runs the fast tests on. A test keeps that file and this one
equal; a bound is widened by widening it here, running both, and keeping both.
"""

import pathlib
import re
import sys

import setuptools

BASE = [
  'absl-py>=2.3.1,<3',
  'chex>=0.1.90,<0.2',
  'dm-env>=1.6,<2',
  'dm-haiku>=0.0.15,<0.0.18',
  # Python 3.11 gets no jax after 0.10; both lines are tested.
  'jax>=0.9.0,<0.13',
  'jaxlib>=0.9.0,<0.13',
  'jinja2>=3.1.4,<3.2',
  'jmp>=0.0.4,<0.0.5',
  'lz4>=4.4.4,<5',
  'matplotlib>=3.10.7,<3.12',
  'ml-collections>=1.0.0,<2',
  'numpy>=2.0.0,<2.6',
  'optax>=0.2.6,<0.3',
  'orbax-checkpoint>=0.11.32,<0.13',
  'packaging>=25.0,<27',
  'pillow>=12.0.0,<14',
  'rich>=14.1.0,<16',
  'rlax>=0.1.8,<0.2',
  'scipy>=1.15.0,<1.19',
  'tqdm>=4.66.1,<5',
]

# What jax needs of an accelerator, which it lists itself.
ACCELERATORS = ('cuda12', 'cuda13', 'tpu')
JAX = 'jax[{}]>=0.9.0,<0.13'

MINATAR = ['pgx>=2.6.0,<2.7', 'pgx-minatar>=0.5.1,<0.6']
ATARI = ['envpool>=1.2.5,<1.3']  # It brings the ROMs.
DMC = [
  'dm-control>=1.0.50,<1.1',
  # dm-control asks for any mujoco, and fails on import with mujoco 4.
  'mujoco>=3.17.0,<4',
]
PLAYGROUND = [
  'playground>=0.2.0,<0.3',
  'brax>=0.14.2,<0.15',
  # playground and brax ask for any of both, which fails beside dm-control.
  'mujoco>=3.17.0,<4',
  'mujoco-mjx>=3.17.0,<4',
]
TENSORBOARD = ['tensorboardX>=2.6.2.2,<2.7']
WANDB = ['wandb>=0.25.0,<0.32']
SLURM = ['submitit>=1.5.2,<1.6']
XMANAGER = [
  'xmanager>=0.8.5,<0.9',
  # What xmanager and its Google clients ask for. Said here because without
  # it pip tries every older release of those clients, for an hour.
  'protobuf>=6.33.5,<7',
  'python-dateutil>=2.9.0,<3',
]
DOCS = [
  'furo>=2025.7.19,<2027',
  'myst-parser>=4.0.0,<6',
  'sphinx>=8.1.0,<10',
]
DEV = [
  *DOCS,
  *MINATAR,
  *ATARI,
  *DMC,
  *TENSORBOARD,
  # Launching on Slurm and by XManager is tested.
  *SLURM,
  *XMANAGER,
  'hypothesis>=6.150.0,<7',
  # The notebooks are run.
  'ipykernel>=6.30.0,<8',
  'mypy>=2.4.0,<3',
  'nbclient>=0.10.2,<0.12',
  'nbformat>=5.10.4,<6',
  'pytest>=9.0.0,<10',
  'pytest-xdist>=3.8.0,<4',
  'ruff>=0.17.0,<0.18',
  # A test builds the wheel, without downloading what builds it.
  'setuptools>=77.0.3,<85',
  # Injection is tested on parameters of other libraries.
  'equinox>=0.13.5,<0.14',
  'flax>=0.12.4,<0.13',
  # Someone's own environment may be of gymnasium.
  'gymnasium>=1.2.0,<1.5',
  # Games and statistics are tested against those of others.
  'minatar>=1.0.15,<1.1',
  'rliable>=1.2.0,<1.3',
  'arch>=7.0.0,<8',  # rliable breaks on arch 8,
  'pandas>=2.3.0,<3',  # and arch 7 on pandas 3.
]

ROOT = pathlib.Path(__file__).resolve().parent
# Read as text: to import it would need what is not installed yet.
_FACE = (ROOT / 'plasticity_rl/__init__.py').read_text()
VERSION = re.search(r"^__version__ = '(.+?)'", _FACE, re.M)[1]

# Two folders of the checkout are installed inside the package, so that it is
# all there is at the top.
INSIDE = ('configs', 'launch')
packages = setuptools.find_namespace_packages(
  include=['plasticity_rl*'], exclude=['*.__pycache__*']
)
# An editable install is one path entry, so that a folder added later is found
# without installing again. There `plasticity_rl/configs` and
# `plasticity_rl/launch` point to those folders.
package_dir = {'': '.'}
if 'editable_wheel' not in sys.argv:
  package_dir |= {f'plasticity_rl.{name}': name for name in INSIDE}
  inside = setuptools.find_packages(include=[f'{name}*' for name in INSIDE])
  packages = sorted({*packages, *(f'plasticity_rl.{name}' for name in inside)})

setuptools.setup(
  name='plasticity_rl',
  version=VERSION,
  description=(
    'Plasticity injection, and diagnosis of plasticity loss, in deep '
    'reinforcement learning with JAX and Haiku'
  ),
  long_description=(ROOT / 'README.md').read_text(),
  long_description_content_type='text/markdown',
  license='Apache-2.0',
  license_files=['LICENSE'],
  classifiers=[
    'Intended Audience :: Science/Research',
    'Programming Language :: Python :: 3.11',
    'Programming Language :: Python :: 3.12',
    'Topic :: Scientific/Engineering :: Artificial Intelligence',
  ],
  # labmaze, of dm-control, has no wheel for Python 3.13.
  python_requires='>=3.11,<3.13',
  package_dir=package_dir,
  packages=packages,
  package_data={
    '': ['*.css', '*.html', '*.j2', '*.js', '*.sh'],
    'plasticity_rl.aged': ['shipped/*'],
  },
  entry_points={
    'console_scripts': ['plasticity-rl = plasticity_rl.__main__:main']
  },
  install_requires=BASE,
  extras_require={
    **{name: [JAX.format(name)] for name in ACCELERATORS},
    'minatar': MINATAR,
    'atari': ATARI,
    'dmc': DMC,
    'playground': PLAYGROUND,
    'tensorboard': TENSORBOARD,
    'wandb': WANDB,
    'slurm': SLURM,
    'xmanager': XMANAGER,
    'docs': DOCS,
    'dev': DEV,
    'all': sorted(
      {
        *MINATAR,
        *ATARI,
        *DMC,
        *PLAYGROUND,
        *TENSORBOARD,
        *WANDB,
        *SLURM,
        *XMANAGER,
      }
    ),
  },
)
