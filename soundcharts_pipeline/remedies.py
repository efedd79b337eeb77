"""What to do about a run that failed, by the name of its error, in one sentence."""

from collections.abc import Mapping

from soundcharts_pipeline.health import CANCELED, ErrorFacts

_AGAIN = "trigger the cascade again: what was saved stays, and only the rest is asked for"
REMEDIES: Mapping[str, str] = {
    "AuthenticationError": "correct SOUNDCHARTS_APP_ID and SOUNDCHARTS_API_KEY (or SOUNDCHARTS_CLIENT_ID and "
    "SOUNDCHARTS_CLIENT_SECRET) where Dagster runs, then trigger the cascade again",
    "NetworkError": "check that the host named in the message can be reached from here; the healing sensor tries again "
    "by itself",
    "QuotaExhausted": "wait for the next term, ask for a larger plan, or lower SOUNDCHARTS_QUOTA_RESERVE; a later run "
    "resumes where this one stopped",
    "BudgetSpent": f"raise SOUNDCHARTS_RUN_BUDGET, or {_AGAIN}",
    "RateLimited": "lower SOUNDCHARTS_CALLS_PER_MINUTE below what the account allows; the healing sensor tries again "
    "by itself",
    "NotPublished": "trigger it for the newest published day that the message names, or wait until this day is out",
    "UnknownChart": "find the slug with `soundcharts-pipeline charts search` and correct charts.yaml",
    "SettingsError": "correct charts.yaml as the message says, and reload the code location in Dagster's UI",
    "StorageFull": "free disk space where the database lives; the healing sensor tries again by itself",
    "StorageBusy": f"end the process that holds the database, then {_AGAIN}",
    "StorageUnavailable": "make the database reachable as the message says; the healing sensor tries again by itself",
    CANCELED: _AGAIN,
}


def remedy_of(error: ErrorFacts) -> str:
    """The next action; an error without one of its own is looked up in the run's log."""
    return REMEDIES.get(error.kind, f"read the run's log in Dagster's UI, then {_AGAIN}")
