"""Signals: the first one asks, and a request is not lost between runs."""

import signal

import pytest

from plasticity_rl.run.preemption import PreemptionHandler


@pytest.mark.parametrize('number', (signal.SIGTERM, signal.SIGINT))
def test_first_signal_asks(number, capfd):
  before = signal.getsignal(number)
  with PreemptionHandler() as interrupts:
    assert not interrupts.requested
    signal.raise_signal(number)
    assert interrupts.requested
  assert signal.getsignal(number) is before
  assert 'asked to stop' in capfd.readouterr().err


def test_second_interrupt_kills():
  with pytest.raises(KeyboardInterrupt), PreemptionHandler():
    signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGINT)


def test_second_termination_is_patient():
  """Schedulers repeat SIGTERM; the save that goes on must not be cut."""
  with PreemptionHandler() as interrupts:
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGTERM)
  assert interrupts.requested


def test_request_to_a_run_reaches_what_holds_it():
  with PreemptionHandler() as outer:
    with PreemptionHandler():
      pass
    assert not outer.requested
    with PreemptionHandler():
      signal.raise_signal(signal.SIGTERM)
    assert outer.requested
