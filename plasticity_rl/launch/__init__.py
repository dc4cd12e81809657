"""The folder `launch` of a checkout; an installation has its files here."""

import pathlib

# setup.py puts that folder in the place of this one. So one name serves both,
# and nothing but `plasticity_rl` is installed at the top.
__path__ = [str(pathlib.Path(__file__).resolve().parents[2] / 'launch')]
