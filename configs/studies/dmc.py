"""What studies on the DeepMind Control suite share."""

STATE_TASKS = (
  'quadruped_run',
  'hopper_hop',
  'cheetah_run',
  'walker_run',
  'humanoid_run',
)


def tasks(h, names=STATE_TASKS, prefix: str = 'dmc_'):
  """A sweep over tasks."""
  return h.sweep('environment.name', [f'{prefix}{name}' for name in names])
