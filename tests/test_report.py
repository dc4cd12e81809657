import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import pytest

from plasticity_rl.analysis import report
from plasticity_rl.errors import UserError

_ROOT = pathlib.Path(__file__).parents[1]
_SCORES = _ROOT / 'tests' / 'data' / 'primacy_bias_scores.csv'
_HEADER = 'algorithm,arm,task,seed,return\n'


def _module():
  spec = importlib.util.spec_from_file_location(
    'synthetic', _ROOT / 'tests' / 'analysis' / 'synthetic.py'
  )
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


synthetic = _module()


def _run(*arguments, code=None):
  """Runs the command (or a line of code with the same arguments)."""
  what = ['-c', code] if code else ['-m', 'plasticity_rl.report']
  return subprocess.run(
    [sys.executable, *what, *map(str, arguments)],
    cwd=_ROOT,
    capture_output=True,
    text=True,
    timeout=120,
    check=False,
    env=os.environ | {'PYTHONPATH': str(_ROOT)},
  )  # pyformat: disable


def _refused(result, said, out=None):
  """Exit code 2, one line on stderr, nothing on stdout, nothing written."""
  assert result.returncode == 2, result
  assert result.stdout == ''
  [line] = result.stderr.splitlines()
  assert line.startswith('error: ') and said in line, line
  if out is not None:
    assert not out.exists()


def test_help_is_quick_and_no_error():
  code = (
    'import runpy, sys\n'
    'try:\n'
    '  runpy.run_module("plasticity_rl.report", run_name="__main__")\n'
    'finally:\n'
    '  heavy = {"jax", "numpy", "matplotlib", "scipy"} & set(sys.modules)\n'
    '  print("heavy:", sorted(heavy))\n'
  )
  result = _run('--help', code=code)
  assert result.returncode == 0, result
  assert '--scores' in result.stdout and '--out' in result.stdout
  assert 'heavy: []' in result.stdout


def test_reports_need_no_jax_and_go_in_place(tmp_path):
  code = (
    'import runpy, sys\n'
    'sys.modules["jax"] = sys.modules["pandas"] = None\n'
    'runpy.run_module("plasticity_rl.report", run_name="__main__")\n'
  )
  folder = synthetic.write_diagnosis(
    tmp_path / 'd', arms={'control': 0, 'injection': 0.5}
  )
  result = _run(folder, code=code)
  assert result.returncode == 0, result.stderr
  assert (folder / 'verdict.json').exists()
  assert f'report: {folder / "report.html"}' in result.stdout


def test_scores_are_printed_and_written(tmp_path):
  out = tmp_path / 'a' / 'b'
  result = _run(f'--scores={_SCORES}', f'--out={out}')
  assert result.returncode == 0, result.stderr
  assert [p.name for p in out.iterdir()] == ['summary.csv']
  lines = (out / 'summary.csv').read_text().splitlines()
  assert lines[0] == (
    'algorithm,arm,iqm,iqm_low,iqm_high,mean,median,runs,tasks'
  )
  assert 'resets_rr32' in result.stdout and '651.5' in result.stdout


def test_a_diagnosis_is_rewritten_elsewhere(tmp_path):
  folder = synthetic.write_diagnosis(
    tmp_path / 'd', arms={'control': 0, 'injection': 0.5}
  )
  before = sorted(p.name for p in folder.iterdir())
  out = tmp_path / 'out'
  result = _run(folder, f'--out={out}')
  assert result.returncode == 0, result.stderr
  assert sorted(p.name for p in out.iterdir()) == [
    'report.html',
    'verdict.json',
  ]  # pyformat: disable
  assert sorted(p.name for p in folder.iterdir()) == before
  assert 'verdict: losing plasticity (' in result.stdout
  assert f'report: {out / "report.html"}' in result.stdout
  _refused(_run(folder, '--human_normalized'), 'is for runs and --scores')
  verdict = json.loads((out / 'verdict.json').read_text())
  assert verdict['verdict'] == 'losing plasticity' and verdict['seeds'] == 10


def test_runs_are_compared(tmp_path):
  for i, rate in enumerate((0.1, 0.2)):
    record = {'config': synthetic.config(optimizer__learning_rate=rate)}
    returns = [[0, i + 1], [0, i + 2]]
    synthetic.write_run(tmp_path / str(i), (0, 500), returns, record=record)
  out = tmp_path / 'out'
  result = _run(tmp_path / '0', tmp_path / '1', f'--out={out}')
  assert result.returncode == 0, result.stderr
  assert sorted(p.name for p in out.iterdir()) == [
    'report.html',
    'summary.csv',
  ]  # pyformat: disable
  lines = (out / 'summary.csv').read_text().splitlines()
  assert lines[1].startswith('dqn,learning_rate=0.1,1.5,')
  assert lines[2].startswith('dqn,learning_rate=0.2,2.5,')


def test_atari_scores_on_the_scale_of_a_person(tmp_path):
  path = tmp_path / 'scores.csv'
  # Half way from random to a person in Pong (-20.7, 14.6), twice in Boxing
  # (0.1, 12.1).
  path.write_text(_HEADER + 'dqn,a,atari_pong,1,-3.05\ndqn,a,boxing,1,24.1\n')
  plain = report.scores(path)
  assert 'summed as they are; --human_normalized' in plain.text
  written = report.scores(path, human_normalized=True)
  assert written.rows[0].mean == pytest.approx(1.25)
  assert '--human_normalized' not in written.text
  result = _run(f'--scores={path}', '--human_normalized')
  assert result.returncode == 0 and '1.25' in result.stdout
  _refused(
    _run(f'--scores={_SCORES}', '--human_normalized'), 'unknown Atari game'
  )


def test_atari_runs_on_the_scale_of_a_person(tmp_path):
  for game, last in (('pong', 14.6), ('boxing', 6.1)):
    config = synthetic.config(environment__name=f'atari_{game}')
    synthetic.write_run(
      tmp_path / game, (0, 500), [[0, last]], record={'config': config}
    )
  folders = [tmp_path / 'pong', tmp_path / 'boxing']
  written = report.runs(folders, tmp_path / 'out', human_normalized=True)
  assert written.rows[0].mean == pytest.approx(0.75)
  page = (tmp_path / 'out' / 'report.html').read_text()
  assert 'human-normalised eval/return' in page
  with pytest.raises(UserError, match='is for returns'):
    report.runs(
      folders, tmp_path / 'out', human_normalized=True, metric='train/loss'
    )
  plain = report.runs(folders, tmp_path / 'plain')
  assert 'summed as they are' in plain.text


@pytest.mark.parametrize(
  'text, said',
  [
    ('', 'is empty'),
    (_HEADER, 'no rows'),
    ('algorithm,arm,task,return\na,b,t,1\n', "no column 'seed'"),
    (_HEADER + 'a,b,t,0,nan\n', "line 2, column 'return'"),
    (_HEADER + 'a,b,t,0,high\n', "'high' is not a number"),
    (None, 'no such file'),
  ],
  ids=['empty', 'no rows', 'no column', 'nan', 'text', 'no file'],
)
def test_bad_scores_are_refused(tmp_path, text, said):
  path, out = tmp_path / 'scores.csv', tmp_path / 'out'
  if text is not None:
    path.write_text(text)
  _refused(_run(f'--scores={path}', f'--out={out}'), said, out)


def test_a_bad_file_leaves_an_earlier_summary_alone(tmp_path):
  (tmp_path / 'summary.csv').write_text('earlier')
  (tmp_path / 'bad.csv').write_text(_HEADER + 'a,b,t,0,nan\n')
  _refused(_run(f'--scores={tmp_path / "bad.csv"}', f'--out={tmp_path}'), 'nan')
  assert (tmp_path / 'summary.csv').read_text() == 'earlier'
  assert len(list(tmp_path.iterdir())) == 2


def test_bad_folders_are_refused(tmp_path):
  out = tmp_path / 'out'
  _refused(_run(tmp_path / 'no', f'--out={out}'), 'no such run folder', out)
  synthetic.write_run(tmp_path / 'run', (0, 500), [[0, 1]])
  run = tmp_path / 'run'
  metrics = run / 'metrics.csv'

  def fails(said, *folders, to=out, **options):
    with pytest.raises(UserError, match=said):
      report.runs(folders or [run], to, **options)
    assert not out.exists()

  fails('seed 1 is both in', run, run)
  fails("did you mean 'eval/return'", metric='eval/retrun')
  fails('is not a folder', to=metrics)
  metrics.write_text(metrics.read_text().replace(',1.0,', ',nan,'))
  _refused(_run(run, f'--out={out}'), 'eval/return is nan at step 500', out)
  metrics.write_text('')
  fails('is empty')
  metrics.unlink()
  fails('no such file')


def test_an_incomplete_diagnosis_is_refused(tmp_path):
  folder = synthetic.write_diagnosis(tmp_path / 'd', seeds=3)
  path = folder / 'arms' / 'injection' / 'metrics.csv'
  header, rows = synthetic.read_csv(path)
  synthetic.write_csv(path, header, [r for r in rows if r[0] != '2'])
  _refused(_run(folder), "arm 'injection' is incomplete: it has no seed 2")
  assert not (folder / 'report.html').exists()


@pytest.mark.parametrize(
  'arguments, said',
  [
    ((), 'give run folders'),
    (('--scores=x.csv', 'run'), 'not both'),
    (('--scors=x.csv',), 'Unknown command line flag'),
    (('--interval=wide', '--scores=x.csv'), 'stratified|pooled'),
    (('run', '--margin=x'), 'margin'),
    ((_ROOT / 'tests', '--margin=1'), '--margin is for a diagnosis'),
    ((_ROOT / 'tests',), 'give --out'),
    ((_ROOT / 'tests' / 'no', '--human_normalized=2'), 'human_normalized'),
  ],
)
def test_mistaken_command_lines(arguments, said):
  _refused(_run(*arguments), said)


def test_our_own_bugs_keep_their_traceback():
  code = (
    'from plasticity_rl import cli\n'
    'def main(argv): raise ZeroDivisionError("a bug")\n'
    'cli.run(main)\n'
  )
  result = _run(code=code)
  assert result.returncode == 1
  assert 'Traceback' in result.stderr and 'a bug' in result.stderr


@pytest.mark.parametrize(
  'override, said',
  [
    ('--config.b=1', 'b'),
    ('--config.a=x', 'a'),
    (None, 'no.py'),
  ],
)
def test_mistaken_configs_are_one_line(tmp_path, override, said):
  pytest.importorskip('ml_collections')
  (tmp_path / 'c.py').write_text(
    'import ml_collections\n'
    'def get_config(): return ml_collections.ConfigDict({"a": 1})\n'
  )
  code = (
    'from ml_collections import config_flags\n'
    'from plasticity_rl import cli\n'
    'def define(argv): config_flags.DEFINE_config_file("config", None)\n'
    'def main(argv): print("ran")\n'
    'cli.run(main, define=define)\n'
  )
  file = f'--config={tmp_path / "c.py"}'
  if override is None:
    assert _run(file, code=code).stdout == 'ran\n'
    _refused(_run('--config=no.py', code=code), said)
  else:
    _refused(_run(file, override, code=code), said)


@pytest.mark.parametrize('name, code', [('RunError', 1), ('Interrupted', 75)])
def test_runs_that_end_early_say_so_in_a_line(name, code):
  source = (
    'from plasticity_rl import cli, errors\n'
    f'def main(argv): raise errors.{name}("the reason")\n'
    'cli.run(main)\n'
  )
  result = _run(code=source)
  assert result.returncode == code
  assert result.stderr == 'error: the reason\n' and result.stdout == ''
