"""Objects with a method `replace`."""

import copy
from typing import Any, Self


class Replaceable:
  """Base of classes with `replace`, similar to `_replace` of a NamedTuple."""

  def replace(self, **attributes: Any) -> Self:
    """Returns a shallow copy with other attributes or methods.

    The copy shares compiled functions with the original. A function that
    replaces a method is called without `self`.

    Raises:
      AttributeError: the object has no attribute of this name.
    """
    for name in attributes:
      getattr(self, name)
    new = copy.copy(self)
    vars(new).update(attributes)
    return new
