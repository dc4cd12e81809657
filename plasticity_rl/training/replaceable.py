"""Objects of which copies are made with something put in a part's place."""

import copy
from typing import Any, Self


class Replaceable:
  """Has `replace`, as a NamedTuple has `_replace`."""

  def replace(self, **parts: Any) -> Self:
    """A shallow copy with other attributes or methods.

    What was compiled is shared with the original. A function that takes the
    place of a method is called without `self`.

    Raises:
      AttributeError: of a name that is not there.
    """
    for name in parts:
      getattr(self, name)
    new = copy.copy(self)
    vars(new).update(parts)
    return new
