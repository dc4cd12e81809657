"""The flags that say where processes meet; which of them are refused."""

import pytest

from plasticity_rl.distributed import address
from plasticity_rl.errors import UserError


def test_an_address_is_given_whole_or_not_at_all():
  assert address.from_flags(None, None, None, 'no') is None
  assert address.from_flags('a:1', 4, 3, 'no') == address.Address('a:1', 4, 3)
  assert address.from_flags(None, None, None, 'auto') == address.Address()


@pytest.mark.parametrize(
  'given, message',
  (
    (('a:1', None, 0, 'no'), 'go together: --num_processes missing'),
    ((None, 2, 0, 'no'), 'go together: --coordinator missing'),
    (('a', 2, 0, 'no'), "--coordinator must be ADDRESS:PORT: 'a'"),
    ((':1', 2, 0, 'no'), '--coordinator must be ADDRESS:PORT'),
    (('a:70000', 2, 0, 'no'), '--coordinator must be ADDRESS:PORT'),
    (('a:1', 0, 0, 'no'), '--num_processes must be at least 1: 0'),
    (('a:1', 2, 2, 'no'), '--process_id must be 0 to 1'),
    (('a:1', 2, -1, 'no'), '--process_id must be 0 to 1'),
    (('a:1', None, None, 'auto'), 'leave out --coordinator'),
  ),
)
def test_addresses_that_are_none(given, message):
  with pytest.raises(UserError, match=message):
    address.from_flags(*given)
