import numpy as np
import pytest
from matplotlib import figure

from plasticity_rl.analysis.pages import axes


def test_labels_are_spread_and_keep_their_order():
  placed = axes.spread([0.5, 0.52, 0.51, 3.0], 0.2)
  assert sorted(range(4), key=placed.__getitem__) == [0, 2, 1, 3]
  assert np.diff(sorted(placed)).min() >= 0.2 - 1e-12
  assert np.mean(placed[:3]) == pytest.approx(0.51) and placed[3] == 3.0


def test_names_do_not_touch_in_a_figure_of_several_panels():
  fig = figure.Figure((8.4, 5.4))
  many = fig.subplots(2, 2).ravel()
  for ax in many:
    ax.plot([0, 1], [0, 1])
    axes.label_ends(
      ax, [axes.End(name, 'k', 1.0, 0.5, False) for name in ('one', 'other')]
    )
  fig.draw_without_rendering()
  for ax in many:
    one, other = (text.get_window_extent() for text in ax.texts)
    assert not one.overlaps(other)
