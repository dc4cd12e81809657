"""A study of studies: its parts in order, each a study folder with claims."""

import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class Case:
  """A panel of the figure that opens the page: one part, or a place of it.

  Attributes:
    title: what it is a case of, such as 'lost'.
    part: its name.
    claim: of the part, whose outcome the panel says.
    arms: those that are drawn, control first; () for all.
    at: the place, such as `{'environment.name': 'minatar_asterix'}`, if the
      part has several.
  """

  title: str
  part: str
  claim: str
  arms: tuple[str, ...] = ()
  at: Mapping[str, Any] = dataclasses.field(default_factory=dict)
