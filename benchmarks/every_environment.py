"""The table of `configs/every_environment.py`: what every run came to.

python -m benchmarks.every_environment STUDY_FOLDER ...
"""

import csv
import json
import pathlib
import sys

from benchmarks import studies
from launch import folder as folder_lib

OUT = studies.RESULTS / 'every_environment.md'


def row(folder: pathlib.Path, name: str) -> list[str]:
  """Name, state, steps, updates, loss, returns and seconds of a run."""
  state = folder_lib.read_state(folder, name)
  environment = name.removeprefix('name=')
  if state['state'] != folder_lib.DONE:
    return [environment, state['state'], *[''] * 4, state.get('error', '')]
  with (folder / folder_lib.RUNS / name / 'metrics.csv').open() as file:
    rows = list(csv.DictReader(file))
  last = rows[-1]
  return [
    environment,
    state['state'],
    last['step'],
    last['updates'],
    f'{float(last["train/loss"]):.3g}',
    f'{float(last["eval/return"]):g}',
    f'{state["seconds"]:.0f}',
  ]


def main() -> None:
  folders = [pathlib.Path(word) for word in sys.argv[1:]]
  lines, commands, counts = [], [], []
  for folder in folders:
    study = json.loads((folder / folder_lib.STUDY).read_text())
    rows = [row(folder, name) for name in study['runs']]
    done = sum(cells[1] == folder_lib.DONE for cells in rows)
    counts.append(f'{done} of {len(rows)}')
    lines += [f'| {" | ".join(cells)} |' for cells in rows]
    commands.append(
      f'    python -m launch.local --config={study["source"]} '
      f'--workdir={folder.name}'
    )
  OUT.write_text(
    '\n'.join(
      [
        '# Does every environment start, step, learn and log?',
        '',
        f'{" and ".join(counts)} runs do, with an '
        'evaluation of one episode, '
        'cut '
        'at 500 steps. The loss and the return say that there are some, nothing '
        'more; seconds are those of the clock, whatever else ran.',
        '',
        '| environment | run | steps | updates | loss | return | seconds |',
        '| --- | --- | ---: | ---: | ---: | ---: | ---: |',
        *lines,
        '',
        f'{studies.machine()}',
        '',
        *commands,
        '',
      ]
    )
  )
  print(f'wrote {OUT}')


if __name__ == '__main__':
  main()
