"""The billed calls that one run may make."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from soundcharts_pipeline.api.errors import BudgetSpent, QuotaExhausted

from .calling import USAGE, caller_of, error_of, outcome, track
from .conftest import Simulate
from .quota_users import QUICK


def test_threads_together_make_exactly_the_calls_of_the_budget(simulate: Simulate) -> None:
    simulator = simulate(latency=0.005)
    # A call that is not billed leaves room for another.
    simulator.script("track", ["500", "503"] * 6)
    caller = caller_of(simulator.url, run_budget=25, retry=QUICK)
    with ThreadPoolExecutor(16) as pool:
        outcomes = Counter(pool.map(lambda _: type(outcome(caller)), range(60)))

    assert outcomes == {type(None): 25, BudgetSpent: 35}
    assert simulator.counters.billed == 25
    assert simulator.counters.calls == {"track": 25 + 12}


def test_a_spent_budget_says_what_was_done_and_how_to_go_on_and_leaves_free_calls_alone(simulate: Simulate) -> None:
    simulator = simulate()
    caller = caller_of(simulator.url, run_budget=1)
    track(caller)
    error = error_of(caller, BudgetSpent)

    assert isinstance(error, QuotaExhausted)
    for words in ("1 of 1 billed calls", "a later run resumes", "SOUNDCHARTS_RUN_BUDGET", "--budget"):
        assert words in str(error)
    caller.transport.get("usage", USAGE, {})
    assert simulator.counters.calls == {"track": 1, "usage": 1}
