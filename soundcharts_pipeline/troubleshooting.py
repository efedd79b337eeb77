"""What can go wrong, as a table: the name of an error, or of a situation that is none, to what it means and what to do.

Failures in Dagster's UI, the command line, `status`, notifications and docs/troubleshooting.md say it in these words.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

PAGE = "docs/troubleshooting.md"

# Situations that are not an error of ours.
QUEUED = "Queued"
NOT_RUN = "NotRun"
NO_DATA = "NoData"
STALE = "Stale"
QUOTA_LOW = "QuotaLow"
CHECK_FAILED = "CheckFailed"
RUN_FAILED = "RunFailed"
CANCELED = "Canceled"
UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Trouble:
    """One kind of failure. `shared`: the cause is the same for every chart, so that one message is enough."""

    title: str
    explanation: str
    remedy: str
    shared: bool = False

    @property
    def anchor(self) -> str:
        """Of its section in the page, as Markdown renderers make it."""
        return re.sub(r"[^\w -]", "", self.title.lower()).replace(" ", "-")

    @property
    def place(self) -> str:
        """Where to read more."""
        return f"{PAGE}#{self.anchor}"


def trouble_of(kind: str) -> Trouble:
    """What is known of this kind of failure; of one that nobody foresaw, where to look."""
    return TROUBLES.get(kind, TROUBLES[UNKNOWN])


TROUBLES: Mapping[str, Trouble] = {
    "AuthenticationError": Trouble(
        "Invalid credentials",
        "Soundcharts does not accept the credentials, or none are set where the run was started. No call succeeds and "
        "nothing is billed until that is corrected.",
        "Put the right values into the environment of whatever runs the daemon and start it again; "
        "`soundcharts-pipeline doctor` says whether they are accepted.",
        shared=True,
    ),
    "NetworkError": Trouble(
        "Network down",
        "No answer came from the host that the message names, although it was asked several times. The network, a "
        "proxy, a firewall or Soundcharts itself is down.",
        "Ask `soundcharts-pipeline doctor` on the machine that runs the daemon, then mend the connection or "
        "SOUNDCHARTS_BASE_URL; the healing sensor tries again by itself.",
        shared=True,
    ),
    "RateLimited": Trouble(
        "Rate limit exceeded",
        "Soundcharts kept refusing calls because the account makes too many in a minute. All runs of one database "
        "share their count, so somebody else uses the account, or a second database does.",
        "Set SOUNDCHARTS_CALLS_PER_MINUTE to your share of the account and start the daemon again; the healing sensor "
        "asks for the rest.",
        shared=True,
    ),
    "QuotaExhausted": Trouble(
        "Quota used up",
        "No billed calls are left in this term, or only those that SOUNDCHARTS_QUOTA_RESERVE keeps back. Waiting a "
        "minute does not help.",
        "Wait for the next term, buy a larger plan or lower the reserve; "
        "`soundcharts-pipeline plan SLUG` says how many calls a chart takes.",
        shared=True,
    ),
    "BudgetSpent": Trouble(
        "Budget spent",
        "The run has made the billed calls that it was allowed, and stopped. The account itself is fine.",
        "Start it again for the rest, with more calls if you like: `soundcharts-pipeline sync SLUG --budget CALLS`.",
    ),
    "SettingsError": Trouble(
        "Invalid chart configuration",
        "The charts file or a variable holds something that cannot be meant. Nothing is started with it, so that no "
        "call is spent on a mistake.",
        "Change what the message names; `soundcharts-pipeline doctor` reads the file and the variables, and Dagster "
        "takes a new file over when the code location is reloaded.",
    ),
    QUEUED: Trouble(
        "Queue full",
        "The run waits until others have ended: the instance works on `max_concurrent_runs` at a time, and on one of "
        "each chart. Nothing is lost, it starts by itself.",
        "Wait, end a run that hangs in the UI under Runs, or raise the limits under `concurrency` in dagster.yaml; if "
        "no run is at work at all, start the daemon.",
    ),
    NOT_RUN: Trouble(
        "Error in a previous step",
        "The step was not started, because one above it failed in the same run. What is wrong stands with the step "
        "that failed.",
        "Mend that one first, then run `soundcharts-pipeline sync SLUG --date DAY`: steps that succeeded cost no call.",
    ),
    "UpstreamMissing": Trouble(
        "Missing dependency data",
        "The asset was launched for days whose ranking, or whose tracks' metadata, is not in the database. It would "
        "have found nothing to ask for and looked complete.",
        "Run the whole cascade of these days: `soundcharts-pipeline sync SLUG --from DAY --to DAY`.",
    ),
    "StorageFull": Trouble(
        "Disk full",
        "The disk of the database has no room for what was fetched. The transaction was taken back, so the data "
        "is whole.",
        "Make room there; `soundcharts-pipeline doctor` names the database, and the healing sensor runs the days "
        "again.",
        shared=True,
    ),
    "NotPublished": Trouble(
        "Ranking not yet published",
        "Soundcharts has no ranking of that day so far; charts come out hours or days later, some once a week. The "
        "other days of the run were saved.",
        "Nothing is broken: the chart's schedule fetches the day once it is out, or try `soundcharts-pipeline sync "
        "SLUG` for the newest one.",
    ),
    "NotFound": Trouble(
        "Metadata missing",
        "Soundcharts has no entry for a track or an artist, or has withdrawn it. That is noted with its date, and the "
        "question is not asked again before `metadata_refresh_days` are over.",
        "Nothing needs to be done; to ask sooner lower `metadata_refresh_days` in charts.yaml and run the day again.",
    ),
    NO_DATA: Trouble(
        "Platform without data",
        "Everything was asked for, and Soundcharts has no points of this platform for any of these tracks or artists. "
        "It may not cover the platform for this chart's country.",
        "Leave the platform out of charts.yaml if it stays so: its calls are billed all the same.",
    ),
    "ServerError": Trouble(
        "Platform failing",
        "Soundcharts answers with errors of its own, for this platform or this step alone. The other platforms of the "
        "run are not held up by it.",
        "Leave it to the healing sensor, or ask again with `soundcharts-pipeline sync SLUG --date DAY`; if it goes on "
        "for days, take the platform out of charts.yaml.",
    ),
    "NotInPlan": Trouble(
        "Not in the plan",
        "The credentials are fine, but the account's plan (or the sandbox) does not hold this endpoint or object. Each "
        "refusal is billed.",
        "Take the platform or the chart out of charts.yaml, or have it added to the plan.",
    ),
    "UnknownChart": Trouble(
        "Unknown chart",
        "The catalogue of Soundcharts holds no chart of this slug. It is misspelt, or the chart was withdrawn.",
        "Look it up with `soundcharts-pipeline charts search WORD`, and put the slug that it prints into charts.yaml.",
    ),
    "RankingRefused": Trouble(
        "Ranking listed but refused",
        "Soundcharts lists a ranking for that day and then does not hand it out. The day counts as missing until it "
        "does.",
        "Run `soundcharts-pipeline sync SLUG --date DAY` once more; if it stays so, report the day to Soundcharts.",
    ),
    "BadRequest": Trouble(
        "Question refused",
        "Soundcharts does not understand the question. A platform code, a day or a path of `endpoints` in charts.yaml "
        "is not what it expects.",
        "Compare the path in the message with docs/api.md, and correct charts.yaml.",
    ),
    "IncompleteAnswer": Trouble(
        "Incomplete answer",
        "Soundcharts announced more rows than it gave. Half an answer is not saved.",
        "Run `soundcharts-pipeline sync SLUG --date DAY` again later.",
    ),
    "UnexpectedPayload": Trouble(
        "Unexpected answer",
        "An answer lacks a field that is needed, or has it in another shape. Nothing of such an answer is saved.",
        "See whether the endpoint has a newer version, and name its path under `endpoints` in charts.yaml "
        "(docs/api.md, Another path).",
    ),
    "StorageUnavailable": Trouble(
        "Database out of reach",
        "The database cannot be opened, or its server does not answer. Nothing is fetched, for there is no place to "
        "keep it.",
        "Start the server or mend the path that the message names; `soundcharts-pipeline doctor` tries it.",
        shared=True,
    ),
    "StorageBusy": Trouble(
        "Database busy",
        "Another process held the database for longer than a minute. The transaction was taken back, so nothing is "
        "half saved.",
        "Find out what holds it (a backup, a BI tool, a network disk), then run the day again; with many processes use "
        "PostgreSQL (docs/background-runs.md).",
    ),
    "SchemaMismatch": Trouble(
        "Database of another version",
        "The tables were made by another version of this program than the one that runs. It touches none of them.",
        "Install the version that the message asks for, everywhere the database is used.",
        shared=True,
    ),
    "SourceMismatch": Trouble(
        "Database of another source",
        "The database holds data from another place than the one that is asked now. Made-up data of the simulator and "
        "real data never mix.",
        "Keep a data directory for each source, and set the one that belongs to SOUNDCHARTS_BASE_URL.",
        shared=True,
    ),
    "FileDamaged": Trouble(
        "File damaged",
        "A backup or a file of the archive is missing, cut off, or not what was written to it. The database was left "
        "as it is.",
        "Take another backup, or bring the archive's file back from a copy; check the disk.",
    ),
    "ProgramMissing": Trouble(
        "PostgreSQL program missing",
        "`pg_dump` or `pg_restore` is not installed where the run is, or is older than the server. The database was "
        "left as it is.",
        "Install the client programs of the server's version (docs/housekeeping.md).",
    ),
    "HoldsData": Trouble(
        "Database holds data",
        "A restore replaces everything, and the database has data. Nothing was changed.",
        "Make sure that it is the right database, run `soundcharts-pipeline backup`, then repeat the command with "
        "`--yes`.",
    ),
    "ValueOutOfRange": Trouble(
        "Value out of range",
        "Soundcharts gave a value that its column cannot hold. The transaction was taken back.",
        "Report the row that the message names to Soundcharts; the other days and platforms can be run meanwhile.",
    ),
    STALE: Trouble(
        "Freshness breach",
        "No newer ranking of the chart was saved for two and a half periods of its schedule. Its runs fail, none is "
        "started, or Soundcharts is late.",
        "See Automation and Runs in Dagster's UI for the chart; `soundcharts-pipeline sync SLUG` fetches the newest "
        "ranking and says what is in the way.",
    ),
    QUOTA_LOW: Trouble(
        "Quota low",
        "Fewer billed calls are left in this term than SOUNDCHARTS_NOTIFY_QUOTA. At zero every run stops where it is.",
        "See what the charts cost with `soundcharts-pipeline plan SLUG`, then drop platforms or charts, or buy a "
        "larger plan.",
        shared=True,
    ),
    CHECK_FAILED: Trouble(
        "Check failed",
        "The data was saved, and does not hold what the check promises. The check's numbers in Dagster's UI say by how "
        "much.",
        "Open the asset's Checks in the UI, and run the days again with `soundcharts-pipeline sync SLUG --date DAY`.",
    ),
    RUN_FAILED: Trouble(
        "Run ended from outside",
        "The run did not start, or its process is gone: killed, out of memory, or the machine was switched off. What "
        "it had saved stays.",
        "See the machine's log for the reason; the healing sensor requests the days again.",
    ),
    CANCELED: Trouble(
        "Run canceled",
        "Somebody ended the run. What it had saved stays.",
        "Start it again when it is wanted: `soundcharts-pipeline sync SLUG --date DAY`.",
    ),
    UNKNOWN: Trouble(
        "Anything else",
        "The failure is none that this program foresees. It may be a mistake of ours.",
        "Read the run's log in Dagster's UI, run `soundcharts-pipeline doctor`, and report both.",
    ),
}
