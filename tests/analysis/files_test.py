from plasticity_rl.analysis import files


def test_numbers_are_cut_and_what_is_none_is_left_empty():
  rows = [(1, float('nan')), ('x,y', 1 / 3)]
  assert files.csv_text(('a', 'b'), rows) == 'a,b\n1,\n"x,y",0.33333333\n'
  assert files.csv_text(('a', 'b'), rows[1:], digits=2).endswith(',0.33\n')
