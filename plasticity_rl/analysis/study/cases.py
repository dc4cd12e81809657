"""What a panel of a talk's first figure shows: the arms of one place."""

from plasticity_rl.analysis.study import study as studies
from plasticity_rl.analysis.study import tables
from plasticity_rl.analysis.study.quantities import agrees
from plasticity_rl.analysis.study.study import Sample
from plasticity_rl.analysis.study.study import StudyResults
from plasticity_rl.analysis.study.talk import Case
from plasticity_rl.errors import UserError
from plasticity_rl.errors import nearest


def samples(case: Case, study: StudyResults) -> dict[str, list[Sample]]:
  """The samples of a case, by arm, control first.

  Args:
    case: which place and arms.
    study: of its part.

  Raises:
    UserError: there is no such arm, or not one place.
  """
  there = [
    arms
    for (task, setting), arms in tables.cells(study).items()
    if agrees(studies.place(task, setting), case.at)
  ]
  if len(there) != 1:
    raise UserError(
      f'case {case.title!r}: {len(there)} places of part {case.part!r} agree '
      f'with at={dict(case.at)}, not one'
    )
  for arm in case.arms:
    if arm not in there[0]:
      raise UserError(f'case {case.title!r}: {nearest("arm", arm, there[0])}')
  wanted = case.arms or [arm for arm in study.arms if arm in there[0]]
  return {arm: there[0][arm] for arm in wanted}
