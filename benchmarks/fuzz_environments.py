"""What a user's environment may hand over, tried with odd values by hypothesis.

  python -m benchmarks.fuzz_environments [--examples=N]

Three sections: what `reset` and `step` return, what `get_state` returns, and
`config.environment.arguments`. Whatever comes has to be taken and be right, or
be refused in one line that names the environment, before any computing. Prints
the number of inputs of each section and every input of which neither is true;
the exit code is then 1. `results/boundaries.md` has what came of it.
"""

from benchmarks import fuzz_arguments
from benchmarks import fuzz_returns
from benchmarks import fuzz_states
from benchmarks import fuzzing

SECTIONS = {
  'what reset and step return': fuzz_returns.returns,
  'what get_state returns': fuzz_states.states,
  'config.environment.arguments': fuzz_arguments.arguments,
}

if __name__ == '__main__':
  fuzzing.main(SECTIONS, __doc__)
