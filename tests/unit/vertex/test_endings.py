"""How the ends of custom jobs are read."""

import pytest

from poolqueue.ports import TERMINAL, CustomJobState
from poolqueue.scheduling.endings import OUTCOMES, SIGNS, Certainty, Ending, ending_of
from poolqueue.scheduling.jobs import Outcome

OUT_OF_MEMORY = "The replica workerpool0-0 ran out of memory."
EXITED = "The replica workerpool0-0 exited with a non-zero status of 1. Termination reason: Error."
INSUFFICIENT = "Resources are insufficient in region: us-central1. Try a different region."
QUOTA_METRIC = "aiplatform.googleapis.com/custom_model_training_nvidia_l4_gpus"
QUOTA = f"The following quota metrics exceed quota limits: {QUOTA_METRIC}"


@pytest.mark.parametrize(
    ("state", "code", "error", "ran", "ending"),
    [
        ("SUCCEEDED", None, None, True, Ending.SUCCEEDED),
        ("SUCCEEDED", None, None, False, Ending.SUCCEEDED),
        ("PARTIALLY_SUCCEEDED", None, None, True, Ending.PARTIALLY_SUCCEEDED),
        ("CANCELLED", 1, "CANCELED", True, Ending.CANCELLED),
        ("CANCELLED", None, None, False, Ending.CANCELLED),
        ("CANCELLED", 4, "Job timed out.", True, Ending.EXPIRED),
        ("EXPIRED", None, None, True, Ending.EXPIRED),
        ("FAILED", 4, "", True, Ending.EXPIRED),
        ("FAILED", 9, "The job exceeded its timeout of 3600s.", True, Ending.EXPIRED),
        ("FAILED", 3, EXITED, True, Ending.FAILED),
        ("FAILED", None, None, True, Ending.FAILED),
        ("FAILED", 8, OUT_OF_MEMORY, True, Ending.FAILED),
        ("FAILED", 8, OUT_OF_MEMORY, False, Ending.FAILED),
        ("FAILED", 8, "any text", False, Ending.CAPACITY),
        ("FAILED", 8, "any text", True, Ending.FAILED),
        ("FAILED", None, INSUFFICIENT, False, Ending.CAPACITY),
        ("FAILED", 8, QUOTA, False, Ending.CAPACITY),
        ("FAILED", 8, INSUFFICIENT, True, Ending.INFRASTRUCTURE),
        ("FAILED", 13, EXITED, True, Ending.FAILED),
        ("FAILED", 3, f"{EXITED} Traceback: internal error occurred", True, Ending.FAILED),
        ("FAILED", 3, f"{EXITED} Traceback: resources are insufficient", False, Ending.FAILED),
        ("FAILED", 3, f"{EXITED} NCCL: training operation timed out", True, Ending.FAILED),
        (
            "FAILED",
            8,
            "ran out-of-memory and exited with a non-zero status of 9(SIGKILL)",
            False,
            Ending.FAILED,
        ),
        ("FAILED", 13, "", False, Ending.INFRASTRUCTURE),
        ("FAILED", 14, "", True, Ending.INFRASTRUCTURE),
        ("FAILED", None, "Internal error occurred for the current attempt", True, Ending.INFRASTRUCTURE),
    ],
)
def test_an_end_is_read_from_state_error_and_whether_it_ran(state, code, error, ran, ending):
    assert ending_of(state, code, error, ran=ran) is ending


@pytest.mark.parametrize("state", [state for state in CustomJobState if state not in TERMINAL])
def test_what_is_not_terminal_has_not_ended(state):
    assert ending_of(state, None, None, ran=True) is None


@pytest.mark.parametrize("state", sorted(TERMINAL))
def test_every_terminal_state_is_an_end(state):
    assert ending_of(state, None, None, ran=True) is not None


def test_every_ending_but_lack_of_capacity_has_an_outcome():
    assert {ending for ending, outcome in OUTCOMES.items() if outcome is None} == {Ending.CAPACITY}
    assert set(OUTCOMES) == set(Ending)
    assert OUTCOMES[Ending.PARTIALLY_SUCCEEDED] is Outcome.SUCCEEDED


def test_no_sign_is_hidden_behind_an_earlier_one_and_each_says_how_we_know_it():
    shown = [(sign.text and sign.text.pattern, sign.codes, sign.ran) for sign in SIGNS]

    assert len(shown) == len(set(shown))
    assert {sign.certainty for sign in SIGNS} == set(Certainty)
    assert all((sign.text is None) != (not sign.codes) for sign in SIGNS)
