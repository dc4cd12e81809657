"""Scores of units by their gradients, by hand."""

import numpy as np
import pytest

from plasticity_rl import measures
from plasticity_rl.errors import UserError
from plasticity_rl.measures import gradients

# Mean |g| of the columns: 2, 0, 1, 1.
G = np.array([[1.0, 0, -2, 0], [-3.0, 0, 0, 2]])


def test_scores_are_magnitudes_over_their_mean():
  np.testing.assert_allclose(gradients.gradient_scores(G), [2, 0, 1, 1])
  np.testing.assert_allclose(gradients.gradient_scores(-7 * G), [2, 0, 1, 1])
  assert gradients.gradient_scores(np.zeros([3, 2])).tolist() == [0, 0]


def test_a_channel_is_a_unit_over_all_positions():
  kernel = G.reshape(2, 1, 1, 4) * np.ones([2, 3, 5, 4])
  np.testing.assert_allclose(gradients.gradient_scores(kernel), [2, 0, 1, 1])


@pytest.mark.parametrize(
  'tau, share', ((0.0, 1 / 4), (0.99, 1 / 4), (1.0, 3 / 4), (2.0, 1.0))
)
def test_at_most_tau_counts(tau, share):
  assert float(measures.grama(G, tau)) == share


@pytest.mark.parametrize(
  'call, message',
  (
    (lambda: measures.grama(G[0]), r'gradient: expected that by weights'),
    (lambda: measures.grama(G, -1), 'tau must be at least 0: -1'),
    (lambda: measures.grama([[np.nan]]), 'gradient: not all values are finite'),
  ),
)
def test_what_is_refused(call, message):
  with pytest.raises(UserError, match=message):
    call()
