"""Pages from templates: no scripts, nothing fetched, every text escaped."""

import json

import jinja2

from plasticity_rl.analysis import wording
from plasticity_rl.analysis.pages import palette


def _indented(value: object) -> str:
  return json.dumps(value, indent=2, ensure_ascii=False)


_ENVIRONMENT = jinja2.Environment(
  loader=jinja2.PackageLoader(__package__),
  autoescape=True,
  undefined=jinja2.StrictUndefined,
  trim_blocks=True,
  lstrip_blocks=True,
)
_ENVIRONMENT.filters |= {
  'indented': _indented,
  'prefixed': wording.prefixed,
  'short': wording.short,
}
_ENVIRONMENT.globals |= {
  'arm_color': palette.css_variable,
  'bounds_text': wording.bounds,
  'interval_text': wording.interval,
  'p_text': wording.p_value,
  'palette': palette.css,
}


def render(name: str, *, tone: str = 'fg', **context: object) -> str:
  """A page.

  Args:
    name: of the template, without its endings.
    tone: CSS variable that the headline takes its colour from.
    **context: what the template names; it names nothing else.
  """
  template = _ENVIRONMENT.get_template(f'{name}.html.j2')
  return template.render(tone=tone, **context)
