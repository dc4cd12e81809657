"""Returns to expect of episodes that are cut short."""


def return_range(
  whole: tuple[float, float], range_frames: int, frames: int
) -> tuple[float, float]:
  """The range of returns of episodes that end after some frames.

  Reward is taken to come evenly: an episode that is cut has that share of the
  range which it has of the frames.

  Args:
    whole: lowest and highest return to expect of an episode that is not cut.
    range_frames: frames that these take; 0 if a cut does not change them.
    frames: where the episodes end, at least 1.

  Returns:
    Lowest and highest return to expect.
  """
  if frames >= range_frames:
    return whole
  low, high = whole
  share = frames / range_frames
  return low * share, high * share
