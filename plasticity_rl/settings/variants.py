"""Variants of a config: words joined by commas; one may name a task."""

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
  """Splits a variant into its task and its words.

  Args:
    variant: the text after the colon.
    tasks: words that name a task; if there are several, the last one counts.
    others: all other valid words.
    default: the task if the variant names none.
    kind: how a message describes the tasks instead of listing them.

  Returns:
    The task, and all words.

  Raises:
    UserError: a word is not valid.
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
