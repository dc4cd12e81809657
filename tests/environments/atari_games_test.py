import hashlib

from plasticity_rl.environments import atari_games


def test_the_table_of_the_57_games_is_as_published():
  """Compared with `dqn_zoo/atari_data.py`, of which this is the checksum."""
  assert len(atari_games.SCORES) == 57
  text = ''.join(
    f'{game} {random!r} {human!r}\n'
    for game, (random, human) in sorted(atari_games.SCORES.items())
  )
  assert hashlib.sha256(text.encode()).hexdigest() == (
    '35e5eed039fdda27933180c8d8abdef315e84b7af4b1f1f30a0032a9d08a361c'
  )
