"""Variants of a config: words joined by commas, one of which may be a task."""

from collections.abc import Collection

from plasticity_rl import errors


def parse(
  variant: str,
  tasks: Collection[str],
  others: Collection[str],
  *,
  default: str,
  kind: str,
) -> tuple[str, list[str]]:
  """The task that is named, or the default, and all words.

  Args:
    variant: what stands behind the colon.
    tasks: names that choose what is learned; the last one counts.
    others: words with other meanings.
    default: the task where none is named.
    kind: what tasks are called where they are too many to list.
  """
  task, words = default, [word for word in variant.split(',') if word]
  for word in words:
    if word in tasks:
      task = word
    elif word not in others:
      raise errors.UserError(
        errors.nearest(
          'variant',
          word,
          (*tasks, *others),
          listed=(f'{kind} (such as {default})', *others),
        )
      )
  return task, words
