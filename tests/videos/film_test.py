"""Films of saved runs, and the command that makes them."""

import io
import json

import gymnasium
import jax
import numpy as np
import pytest
from PIL import Image

from plasticity_rl import settings as settings_lib
from plasticity_rl.environments import host_registry
from plasticity_rl.environments import rendering
from plasticity_rl.errors import UserError
from plasticity_rl.forks import fork
from plasticity_rl.interventions import expression as expressions
from plasticity_rl.run.checkpoint import Checkpoints
from plasticity_rl.training import device_statistics
from plasticity_rl.training import trainer_builder
from plasticity_rl.videos import episodes
from plasticity_rl.videos import film
from tests.run import commands
from tests.training import small

pytestmark = pytest.mark.slow


class Pixels(gymnasium.Env):
  """A dot that goes to the right, 5 steps an episode; in colours."""

  observation_space = gymnasium.spaces.Box(0, 255, (12, 12, 3), np.uint8)
  action_space = gymnasium.spaces.Discrete(2)

  def reset(self, *, seed=None, options=None):
    super().reset(seed=seed)
    self.at = 0
    return self._seen(), {}

  def step(self, action):
    self.at += 1
    return self._seen(), 1.0, self.at == 5, False, {}

  def _seen(self):
    seen = np.zeros((12, 12, 3), np.uint8)
    seen[5, self.at] = (255, 0, 0)
    return seen


@pytest.fixture(name='run', scope='module')
def fixture_run(tmp_path_factory):
  """A run on continual Catch with checkpoints at 40 and 80."""
  folder = tmp_path_factory.mktemp('film') / 'run'
  return small.run(small.build(small.dqn()), folder)


@pytest.fixture(name='diagnosis', scope='module')
def fixture_diagnosis(run, tmp_path_factory):
  """A diagnosis of it, with two arms."""
  folder = tmp_path_factory.mktemp('film') / 'diagnosis'
  result = commands.call(
    'diagnose',
    f'--from={run}',
    '--step=40',
    f'--workdir={folder}',
    "--config.fork.arms=('control','injection')",
    '--config.log.progress=False',
  )
  assert result.code == 0, result.err
  (folder / 'arms' / '.ipynb_checkpoints').mkdir()  # Jupyter leaves such.
  return folder


def frames(gif):
  """The pictures of a GIF, as RGB."""
  image = Image.open(io.BytesIO(gif))
  found = []
  for i in range(image.n_frames):
    image.seek(i)
    found.append(np.asarray(image.convert('RGB')))
  return found


def test_a_film_shows_whole_episodes(run):
  found = film.take(run, seed=2, step=40, episodes=2)
  assert (found.seed, found.step) == (2, 40)
  # 4 rows: a reset and three steps; a picture that stays is one of its kind.
  shown = frames(found.gif)
  assert len(shown) == 8 and shown[0].shape == (160 + 14, 120, 3)
  assert len(found.returns) == 2 and {*found.returns} <= {-1.0, 1.0}
  # To the bit again; another seed is another film.
  assert film.take(run, seed=2, step=40, episodes=2) == found
  assert film.take(run, seed=1, step=40, episodes=2).gif != found.gif


def test_an_episode_is_left_after_some_steps(run):
  found = film.take(run, max_steps=2)
  assert (found.seed, found.step) == (1, 80)
  assert len(frames(found.gif)) == 3


def test_the_agent_is_the_greedy_one(run):
  """The mean return of many episodes is that of an evaluation."""
  experiment = small.build(small.dqn())
  state, _ = Checkpoints(run).restore(80, experiment)
  env = trainer_builder.build_environment(experiment.settings)
  columns = 3
  for index in range(2):
    one = film._of_seed(experiment.trainer.to_checkpoint(state), index)
    seen = list(
      episodes.on_device(env, experiment.agent, one, episodes=20, max_steps=10)
    )
    # By the column that the ball falls in, the greedy agent's return is fixed.
    by_column = {}
    for episode in seen:
      column = int(episode[0].state.inner.ball_column)
      by_column.setdefault(column, set()).add(episode[-1].episode_return)
    assert len(by_column) == columns
    assert all(len(returns) == 1 for returns in by_column.values())
    # It is one of the network's own actions.
    action = experiment.agent.act_greedily(
      jax.random.PRNGKey(0), one.nets, seen[0][0].observation[None]
    )
    _, after = env.step(
      jax.random.PRNGKey(0), seen[0][0].state, np.asarray(action)[0]
    )
    np.testing.assert_array_equal(after.observation, seen[0][1].observation)


def test_the_agent_sees_what_it_was_trained_on(run):
  """Observations less a mean above all of them are negative."""
  experiment = small.build(small.dqn())
  state = small.saved(experiment, run, 80)
  one = film._of_seed(state, 0)
  shape = one.env.observation.shape
  statistics = {
    device_statistics.OBSERVATIONS: {
      'count': np.full(shape[:1], 9.0),
      'mean': np.full(shape, 2.0),
      'variance': np.ones(shape),
    }
  }
  seen = []

  class Agent:
    def act_greedily(self, key, nets, x):
      jax.debug.callback(lambda x: seen.append(x.max()), x)
      return jax.numpy.zeros(len(x), jax.numpy.int32)

  env = trainer_builder.build_environment(experiment.settings)
  for changed in (
    one,
    one._replace(env=one.env._replace(statistics=statistics)),
  ):
    list(episodes.on_device(env, Agent(), changed, episodes=1, max_steps=3))
  jax.effects_barrier()
  assert all(x > 0 for x in seen[:3]) and all(x < 0 for x in seen[3:])


def test_arms_begin_alike(run, tmp_path):
  experiment = small.build(small.dqn())
  for arm in ('control', 'injection'):
    expression = expressions.parse(arm)
    fork.run_arm(experiment, run, 40, expression, tmp_path / arm, horizon=40)
  first = [
    frames(film.take(tmp_path / arm).gif)[0] for arm in ('control', 'injection')
  ]
  np.testing.assert_array_equal(*first)


def own_pixels(folder):
  config = settings_lib.default_config('dqn', f'{__name__}:Pixels')
  small.shorten(config)
  config.network.convolutions = ((2, 3, 3),)
  config.network.split = 1
  return small.run(small.build(settings_lib.resolve(config)), folder)


def test_pixels_on_the_host(tmp_path):
  """The way of Atari and DeepMind Control from pixels, without either."""
  found = film.take(own_pixels(tmp_path / 'run'))
  shown = frames(found.gif)
  assert len(shown) == 6 and found.returns == (5.0,)
  for t, picture in enumerate(shown):
    red = (picture[..., 0] > 200) & (picture[..., 1] < 60)
    np.testing.assert_allclose(
      np.argwhere(red).mean(0), [13 * 5 + 6, 13 * t + 6], atol=0.6
    )


@pytest.mark.skipif(
  rendering.choose_backend() == 'disable', reason='nothing draws here'
)
def test_deepmind_control_from_pixels(tmp_path):
  config = settings_lib.default_config('drq', 'dmc_pixels_cartpole_swingup')
  small.shorten(config)
  config.num_seeds = 1
  config.environment.size = 32
  config.network.convolutions = ((4, 3, 4),)
  config.agent.random_steps = 20
  folder = small.run(
    small.build(settings_lib.resolve(config)), tmp_path / 'run'
  )
  shown = frames(film.take(folder, max_steps=5).gif)
  assert len(shown) == 6 and shown[0].shape == (160 + 14, 160, 3)
  assert shown[0][:160].std() > 5  # A picture of something.


def test_no_picture(tmp_path):
  folder = small.run(small.build(small.supervised()), tmp_path / 'run')
  with pytest.raises(UserError, match='^random_labels has no picture; these'):
    film.take(folder)


def call(*arguments):
  return commands.call('watch', *arguments)


def test_the_command(diagnosis, tmp_path):
  out = tmp_path / 'injected.gif'
  result = call(diagnosis, '--arm=injection', '--episodes=2', f'--out={out}')
  assert result.code == 0, result.err
  returns, path = result.out.splitlines()
  assert returns.startswith('returns: ') and path == f'film: {out}'
  assert len(frames(out.read_bytes())) == 8


def test_a_report_with_videos(diagnosis, tmp_path):
  arguments = ('report', diagnosis, f'--out={tmp_path}')
  assert commands.call(*arguments).code == 0
  without = (tmp_path / 'report.html').read_text()
  assert 'data:image/gif' not in without
  result = commands.call(*arguments, '--videos')
  assert result.code == 0, result.err
  page = (tmp_path / 'report.html').read_text()
  assert page.count('<img src="data:image/gif;base64,R0lGOD') == 2
  assert page.index('Greedy episodes of control') < page.index(
    'Greedy episodes of injection'
  )
  json.loads((tmp_path / 'verdict.json').read_text())


@pytest.mark.parametrize(
  'arguments, message',
  (
    ([], 'give one folder of a run, or checkpoint:NAME'),
    (['RUN', 'RUN'], 'give one folder of a run'),
    (['RUN/none'], 'is not a run folder'),
    (['RUN', '--seed=3'], '--seed must be one of the run, 1 to 2: 3'),
    (['RUN', '--step=50'], 'no checkpoint of step 50'),
    (['RUN', '--arm=control'], '--arm is for a diagnosis'),
    (['RUN', '--out=x.mp4'], '--out must be a name that ends in .gif: x.mp4'),
    (['RUN', '--out=none/x.gif'], '--out: there is no folder'),
    (['RUN', '--episodes=0'], 'episodes'),
    (['DIAGNOSIS'], 'choose with --arm: control, injection, prefix'),
    (['DIAGNOSIS', '--arm=injektion'], "did you mean 'injection'"),
    (['checkpoint:catch_13'], "did you mean 'catch_12'"),
    (['checkpoint:labels_20'], 'random_labels has no picture; these have'),
  ),
)
def test_refusals(run, diagnosis, arguments, message):
  words = [
    w.replace('RUN', str(run)).replace('DIAGNOSIS', str(diagnosis))
    for w in arguments
  ]
  result = call(*words)
  assert (result.code, result.out) == (2, '')
  assert message in result.err
  if 'episodes' not in message:
    assert result.err.startswith('error: ') and result.err.count('\n') == 1


def test_videos_are_of_a_diagnosis(run, tmp_path):
  result = commands.call('report', run, f'--out={tmp_path / "x"}', '--videos')
  assert result.code == 2
  assert result.err == (
    'error: --videos is for a diagnosis; `watch` films a run\n'
  )


def test_the_environments_are_those_of_evaluation(monkeypatch, tmp_path):
  """Atari's rewards, for one, are not clipped there."""
  folder, seen = own_pixels(tmp_path / 'run'), []
  make = host_registry.make

  def watched(*args, **options):
    seen.append(options['evaluation'])
    return make(*args, **options)

  monkeypatch.setattr(host_registry, 'make', watched)
  film.take(folder)
  assert seen[-1]
