"""FIRE or plasticity injection: which one, and what is each confound worth?

FIRE's repository (github.com/isaac7778/FIRE, `rl/dqn`) forks a run from the
middle, replay included, into a control, FIRE, a full reset, shrink-and-perturb
and an injection. We could read that code, not the paper's tables. Four things
there differ between arms besides the method, or belong to another method:

1. FIRE projects convolutions alone; dense layers, the head, start anew.
2. The "fresh" head of the injection is a copy of the network's own first draw
   (and so are the dense layers that FIRE and the resets start anew).
3. The optimizer is built anew in the injection's arm alone.
4. Online and target keep frozen heads of their own, until the target's next
   update makes them equal.

Here all arms begin from the same state (seeds, networks, optimizer, replay,
environment), and each method does to the optimizer what is its own: an
injection starts the new head's state anew, what changes every weight that of
every weight. Then:

- 1 by a square: nothing, `head_reset` (what FIRE resets besides),
  `fire_encoder` (FIRE without it: the encoder is projected, the head stays) and
  `fire_and_reset` (both, as in their DQN). `fire` projects every layer and
  resets none, as their SAC does; `fire_20` with 20 iterations for 10, as the
  weights' singular values spread wide; `fire_keep` keeps the optimizer, as
  their DQN does.
- 2 and 3 put back into an injection, each by itself: `first_draw`,
  `rebuilt_optimizer`; `theirs` has both. `optimizer_reset` is that by itself.
- 4 is no fault: only so do the target's predictions stay, and our injection
  does the same. `one_theta` takes it away.
- `c_chain` is switched on at the fork; it has no other state to begin with.

The score is the mean evaluation return over the horizon of the fork, the margin
a tenth of the range of returns. Options and horizons were chosen on seeds below
100 (results/fire_vs_injection/EXPLORED.md), three values for each method that
has an option; seeds here count from 1000. Every claim is decided by its own
95 % interval: among so many, one or two will be wrong by chance.

A study of studies. `small` has 10 or 20 seeds, `solid` two or three times as
many; `tiny` is for tests. `fire_vs_injection.py:small,catch` runs a part alone.
"""

from plasticity_rl.analysis.study import talk
from plasticity_rl.analysis.study.claims import Above
from plasticity_rl.analysis.study.claims import Below
from plasticity_rl.analysis.study.claims import Claim
from plasticity_rl.analysis.study.claims import Within
from plasticity_rl.analysis.study.quantities import Contrast

PARTS = ('catch', 'random_labels', 'space_invaders', 'sac')


def get_config(variant: str = ''):
  return talk.config(PARTS, variant)


def arms(*, shrink: float, c_chain: float, regrama: str, target: bool = True):
  """The arms of a part.

  Args:
    shrink: S of shrink-and-perturb, with P = 1 - S.
    c_chain: its ratio.
    regrama: its options.
    target: whether the agent has a target network.
  """
  perturb = round(1 - shrink, 3)
  return (
    'control',
    'injection',
    'fire',
    'fire_20=fire(iterations=20)',
    'fire_keep=fire(optimizer="keep")',
    'fire_and_reset=fire(dense="reset_head")',
    'fire_encoder=fire(dense="keep_head")',
    'head_reset=reset(scope="head")',
    'reset=reset(scope="everything")',
    f'shrink_and_perturb(shrink={shrink}, perturb={perturb})',
    f'c_chain=control(settings={{"regularizer.c_chain": {c_chain}}})',
    f'regrama({regrama})',
    'optimizer_reset',
    'first_draw=injection(fresh="first_draw")',
    'rebuilt_optimizer=injection(optimizer_state="reset_all")',
    'theirs=injection(fresh="first_draw", optimizer_state="reset_all")',
    *(['one_theta=injection(target="online")'] if target else []),
  )


def claims(part: str, margin: float, *, target: bool = True, lost: bool = True):
  """What is claimed of a part, decided before it is run.

  Args:
    part: its name, which ends the name of each claim.
    margin: a difference up to which does not count.
    target: whether the agent has a target network.
    lost: whether it is plasticity that is lost there.
  """

  def claim(name, sentence, rule, doubt):
    return Claim(
      name=f'{name}_{part}', sentence=sentence, rules=(rule,), doubt=doubt
    )

  def same(arm, base='injection'):
    return Within(Contrast(arm, base), margin)

  return (
    claim(
      'lost',
      'Injection restores learning.',
      Above(Contrast('injection')),
      'A control that learns as well.',
    )
    if lost
    else claim(
      'not_lost',
      'Injection, which keeps what was predicted, does not help.',
      Below(Contrast('injection'), margin),
      'A gain of a margin.',
    ),
    claim(
      'fire',
      'FIRE restores learning, though nothing is reset.',
      Above(Contrast('fire')),
      'No gain over the control.',
    ),
    claim(
      'fire_against_injection',
      'FIRE gains no less than an injection.',
      Above(Contrast('fire', 'injection'), -margin),
      'An injection that gains a margin more.',
    ),
    claim(
      'fire_against_reset',
      'FIRE gains no less than a reset of everything.',
      Above(Contrast('fire', 'reset'), -margin),
      'A reset that gains a margin more.',
    ),
    claim(
      'fire_iterations',
      'Twice the iterations of Newton-Schulz gain FIRE nothing.',
      same('fire_20', 'fire'),
      'A difference of a margin either way.',
    ),
    claim(
      'fire_optimizer',
      'FIRE gains as much where the optimizer is kept.',
      same('fire_keep', 'fire'),
      'A difference of a margin either way.',
    ),
    claim(
      'published',
      'FIRE with its reset of the head gains more than the injection of its '
      'repository, as published.',
      Above(Contrast('fire_and_reset', 'theirs')),
      'An injection that gains as much, confounds and all.',
    ),
    claim(
      'clean',
      'It gains more than an injection without the confounds, too.',
      Above(Contrast('fire_and_reset', 'injection')),
      'An injection that gains as much.',
    ),
    claim(
      'is_its_reset',
      'What FIRE resets besides gains as much by itself.',
      same('fire_and_reset', 'head_reset'),
      'A projected encoder that matters beside a fresh head.',
    ),
    claim(
      'encoder_alone',
      'A projected encoder alone gains nothing.',
      same('fire_encoder', 'control'),
      'A gain from the encoder alone.',
    ),
    claim(
      'first_draw',
      "A copy of the network's first draw is as good as a fresh head.",
      same('first_draw'),
      'A difference of a margin either way.',
    ),
    claim(
      'rebuilt_optimizer',
      'An optimizer built anew makes an injection neither better nor worse.',
      same('rebuilt_optimizer'),
      'A difference of a margin either way.',
    ),
    claim(
      'theirs',
      'Both confounds together make an injection neither better nor worse.',
      same('theirs'),
      'A difference of a margin either way.',
    ),
    *(
      [
        claim(
          'one_theta',
          'Whether online and target freeze the same head does not matter.',
          same('one_theta'),
          'A difference of a margin either way.',
        )
      ]
      if target
      else []
    ),
    claim(
      'c_chain',
      'C-CHAIN, begun at the fork, gains less than an injection.',
      Above(Contrast('injection', 'c_chain')),
      'A penalty that brings back what was lost.',
    ),
    claim(
      'regrama',
      'ReGraMa gains less than an injection.',
      Above(Contrast('injection', 'regrama')),
      'Recycled units that gain as much.',
    ),
  )
