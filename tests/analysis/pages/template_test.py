import jinja2
import pytest

from plasticity_rl.analysis.pages import template


def test_a_template_says_nothing_that_it_was_not_given():
  with pytest.raises(jinja2.UndefinedError, match='is undefined'):
    template.render('runs', tasks=['catch'])
