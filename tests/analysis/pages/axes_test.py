import numpy as np
import pytest

from plasticity_rl.analysis.pages import axes


def test_labels_are_spread_and_keep_their_order():
  placed = axes.spread([0.5, 0.52, 0.51, 3.0], 0.2)
  assert sorted(range(4), key=placed.__getitem__) == [0, 2, 1, 3]
  assert np.diff(sorted(placed)).min() >= 0.2 - 1e-12
  assert np.mean(placed[:3]) == pytest.approx(0.51) and placed[3] == 3.0
