"""Every Python example of the README runs as it stands."""

import pathlib
import re

import pytest

README = pathlib.Path(__file__).resolve().parents[1] / 'README.md'
EXAMPLES = re.findall(r'```python\n(.*?)```', README.read_text(), re.DOTALL)


def test_there_are_examples():
  assert len(EXAMPLES) == 3


@pytest.mark.parametrize('code', EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_runs(code):
  exec(compile(code, 'README.md', 'exec'), {})
