"""One checkpoint of a run, with its config and curves, in one zip file."""

import hashlib
import pathlib
import zipfile

from plasticity_rl.run import metrics
from plasticity_rl.run import run_folder
from plasticity_rl.run.checkpoint_folder import KEPT

# The earliest time that a zip file can hold: when it was made says nothing.
_TIME = (1980, 1, 1, 0, 0, 0)


def pack(run: pathlib.Path, checkpoint: pathlib.Path, out: pathlib.Path) -> str:
  """Writes what a fork of one checkpoint needs; the run is left as it is.

  The state is whole: the replay, the environments and the keys are part of
  what the arms of a fork have in common.

  Args:
    run: folder of the run.
    checkpoint: folder of the checkpoint inside of it.
    out: the zip file, replaced if it is there.

  Returns:
    The SHA-256 digest of the file.
  """
  run, checkpoint = run.absolute(), checkpoint.absolute()
  names = [run / run_folder.CONFIG, run / metrics.CSV]
  names += sorted(p for p in checkpoint.rglob('*') if p.is_file())
  temporary = out.with_name(f'.{out.name}')
  try:
    with zipfile.ZipFile(temporary, 'w') as file:
      for path in names:
        if path.name != KEPT:
          info = zipfile.ZipInfo(path.relative_to(run).as_posix(), _TIME)
          file.writestr(info, path.read_bytes(), zipfile.ZIP_DEFLATED, 9)
    temporary.replace(out)
  finally:
    temporary.unlink(missing_ok=True)
  return digest(out)


def unpack(path: pathlib.Path, folder: pathlib.Path) -> None:
  """Writes the run folder that was packed."""
  with zipfile.ZipFile(path) as file:
    file.extractall(folder)


def digest(path: pathlib.Path) -> str:
  """The SHA-256 digest of a file."""
  with path.open('rb') as file:
    return hashlib.file_digest(file, 'sha256').hexdigest()
