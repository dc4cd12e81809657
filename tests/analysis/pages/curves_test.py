import numpy as np

from plasticity_rl.analysis.pages import curves


def test_curves_with_gaps_have_the_band_of_what_is_there():
  values = np.array([[1.0, np.nan, np.nan], [3.0, 2.0, np.nan]])
  curve = curves.Curve('a', 0, np.arange(3), values)
  mean, low, high = curve.bands()
  np.testing.assert_array_equal(mean, [2.0, 2.0, np.nan])
  assert low[0] < 1 and high[0] > 3 and np.isnan(low[1:]).all()
