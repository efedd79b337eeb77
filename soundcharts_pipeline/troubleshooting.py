"""What can go wrong, as a table: the name of an error, or of a situation that is none, to what it means and what to do.

Failures in Dagster's UI, the command line, `status`, notifications and docs/troubleshooting.md say it in these words.
"""

from collections.abc import Mapping

from soundcharts_pipeline.remedies import Trouble

# Situations that are not an error of ours.
QUEUED = "Queued"
NOT_RUN = "NotRun"
NO_DATA = "NoData"
STALE = "Stale"
QUOTA_LOW = "QuotaLow"
CHECK_FAILED = "CheckFailed"
RUN_FAILED = "RunFailed"
CANCELED = "Canceled"
GIVEN_UP = "BackfillGivenUp"
UNKNOWN = "Unknown"


def trouble_of(kind: str) -> Trouble:
    """What is known of this kind of failure; of one that nobody foresaw, where to look."""
    return TROUBLES.get(kind, TROUBLES[UNKNOWN])


TROUBLES: Mapping[str, Trouble] = {
    "AuthenticationError": Trouble(
        "Invalid credentials",
        "Soundcharts does not accept the credentials, or none are set where the run was started. No call succeeds and "
        "nothing is billed until that is corrected.",
        "Put the right values into the environment of what made the call, and start that again; `soundcharts-pipeline "
        "doctor` there says whether they are accepted.",
        shared=True,
    ),
    "NetworkError": Trouble(
        "Network down",
        "No answer came from the host that the message names, although it was asked several times, or something else "
        "answered in its stead. The network, a proxy, a firewall or Soundcharts itself is down, or redirects calls.",
        "Ask `soundcharts-pipeline doctor` on the machine that made the call, mend the connection or "
        "SOUNDCHARTS_BASE_URL, and run it again; a running daemon does so by itself.",
        shared=True,
    ),
    "RateLimited": Trouble(
        "Rate limit exceeded",
        "Soundcharts kept refusing calls because the account makes too many in a minute. All runs of one database "
        "share their count, so somebody else uses the account, or a second database does.",
        "Set SOUNDCHARTS_CALLS_PER_MINUTE to your share of the account wherever it is used, and run it again; a "
        "daemon that is started again with it does so by itself.",
        shared=True,
    ),
    "QuotaExhausted": Trouble(
        "Quota used up",
        "No billed calls are left in this term, or only those that SOUNDCHARTS_QUOTA_RESERVE keeps back. Waiting a "
        "minute does not help.",
        "Wait for the next term, buy a larger plan or lower the reserve; `soundcharts-pipeline plan SLUG --date DAY` "
        "says how many calls the chart takes.",
        otherwise=[
            "Wait for the next term, buy a larger plan or lower the reserve; `soundcharts-pipeline plan` with a chart "
            "and a day says how many calls that takes."
        ],
        shared=True,
    ),
    "BudgetSpent": Trouble(
        "Budget spent",
        "The run has made the billed calls that it was allowed, and stopped. The account itself is fine.",
        "Run it again for the rest: `soundcharts-pipeline sync SLUG --date DAY`; its option `--budget`, or "
        "SOUNDCHARTS_RUN_BUDGET, says how many calls it may make.",
        otherwise=["Run it again for the rest; SOUNDCHARTS_RUN_BUDGET says how many calls it may make."],
    ),
    "SettingsError": Trouble(
        "Invalid chart configuration",
        "The charts file or a variable holds something that cannot be meant. Nothing is started with it, so that no "
        "call is spent on a mistake.",
        "Change what the message names; `soundcharts-pipeline doctor` reads the file and the variables. Dagster takes "
        "a new file over by itself, and variables when it is started again; the healing sensor requests what failed "
        "meanwhile, and `soundcharts-pipeline backfill` what is older.",
    ),
    "BadUse": Trouble(
        "Impossible request",
        "What was asked for cannot be done as it is written: a range ends before it begins, for instance, or no chart "
        "and day are named. Nothing was done, and no call was made.",
        "Write it as the message says, and start that again.",
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
        otherwise=["Mend that one first, then run it again: steps that succeeded cost no call."],
    ),
    "UpstreamMissing": Trouble(
        "Missing dependency data",
        "The asset was launched for days whose ranking, or whose tracks' metadata or credits, is not in the database. "
        "It would have found too little to ask for and looked complete.",
        "Run the whole cascade of these days: `soundcharts-pipeline sync SLUG --date DAY`.",
        otherwise=["Run the whole cascade of these days."],
    ),
    "ArchivedTooSoon": Trouble(
        "Archived before it was complete",
        "The day's ranking is in the archive, and not all that belongs to it had been fetched when it went there. What "
        "is missing cannot be told from the database alone, so nothing was asked for and nothing passed as complete.",
        "Bring the months back with the command that the message names, then run the day again: "
        "`soundcharts-pipeline sync SLUG --date DAY`. The next archiving takes them out again.",
        otherwise=["Bring the months back with the command that the message names, then run it again."],
    ),
    "StorageFull": Trouble(
        "Disk full",
        "The disk of the database, or of Dagster's state, has no room for what is to be written. The transaction was "
        "taken back, so the data is whole.",
        "Make room there, and run it again; `soundcharts-pipeline doctor` says which disk is full, and a running "
        "daemon runs the days again by itself.",
        shared=True,
    ),
    "NotPublished": Trouble(
        "Ranking not yet published",
        "Soundcharts has no ranking of that day so far; charts come out hours or days later, some once a week. The "
        "other days of the run were saved.",
        "Nothing is broken: the chart's schedule fetches the day once it is out, and `soundcharts-pipeline sync SLUG` "
        "the newest one that is.",
        otherwise=["Nothing is broken: run it again once the day is out."],
    ),
    "NotFound": Trouble(
        "Metadata missing",
        "Soundcharts has no entry for a track or an artist, or has withdrawn it. That is noted with its date, and the "
        "question is not asked again before `metadata_refresh_days` are over.",
        "Nothing needs to be done; to ask sooner lower `metadata_refresh_days` in charts.yaml and run "
        "`soundcharts-pipeline sync SLUG --date DAY` again.",
        otherwise=["Compare the path in the message with docs/api.md: what it names, Soundcharts does not have."],
    ),
    NO_DATA: Trouble(
        "Platform without data",
        "Everything was asked for, and Soundcharts has no points of this platform for any of these tracks or artists. "
        "It may not cover the platform for this chart's country.",
        "Leave PLATFORM out of charts.yaml if it stays so: its calls are billed all the same.",
        otherwise=["Leave the platform out of charts.yaml if it stays so: its calls are billed all the same."],
    ),
    "ServerError": Trouble(
        "Platform failing",
        "Soundcharts answers with errors of its own, for this platform or this step alone. The other platforms of the "
        "run are not held up by it.",
        "Leave it to the healing sensor, or ask again with `soundcharts-pipeline sync SLUG --date DAY`; if it goes on "
        "for days, take PLATFORM out of charts.yaml.",
        otherwise=[
            "Leave it to the healing sensor, or ask again with `soundcharts-pipeline sync SLUG --date DAY`; if it goes "
            "on for days, report it to Soundcharts.",
            "Try again later; if it goes on for days, report it to Soundcharts.",
        ],
    ),
    "NotInPlan": Trouble(
        "Not in the plan",
        "The credentials are fine, but the account's plan (or the sandbox) does not hold this endpoint or object. "
        "Each refusal is billed.",
        "Take PLATFORM out of the platforms of SLUG in charts.yaml, or have it added to the plan.",
        otherwise=["Take SLUG out of charts.yaml, or have it added to the plan.", "Have it added to the plan."],
    ),
    "UnknownChart": Trouble(
        "Unknown chart",
        "The catalog of Soundcharts holds no chart of this slug. It is misspelt, or the chart was withdrawn.",
        "Look it up with `soundcharts-pipeline charts search WORD`, and put the slug that it prints into charts.yaml.",
        otherwise=[
            "Look it up with `soundcharts-pipeline charts search` and a word of its name, and put its slug into "
            "charts.yaml."
        ],
    ),
    "RankingRefused": Trouble(
        "Ranking listed but refused",
        "Soundcharts lists a ranking for that day and then does not hand it out, or has the chart and not its list of "
        "rankings. The day counts as missing until it does.",
        "Run `soundcharts-pipeline sync SLUG --date DAY` once more; if it stays so, report the day to Soundcharts.",
        otherwise=["Run it once more; if it stays so, report the day to Soundcharts."],
    ),
    "NotListed": Trouble(
        "Days not listed",
        "The list of the chart's rankings did not come whole: it was refused, from its begin or from a later page on, "
        "or a day on it cannot be read. What it named is saved, and of the other days nothing is known or noted.",
        "Run `soundcharts-pipeline sync SLUG --date DAY` once more; if it stays so, begin with a later day, or report "
        "it to Soundcharts.",
        otherwise=["Run it once more; if it stays so, begin with a later day, or report it to Soundcharts."],
    ),
    "BadRequest": Trouble(
        "Question refused",
        "Soundcharts does not understand the question. A platform code, a day or a path of `endpoints` in charts.yaml "
        "is not what it expects.",
        "Compare the path in the message with docs/api.md, and correct `endpoints` in charts.yaml if it stands there; "
        "if not, report it with the message.",
    ),
    "ListFull": Trouble(
        "List full",
        "A list of the account, such as its favourites, takes no more. Calls and quota are not affected.",
        "Remove something from that list in Soundcharts.",
    ),
    "UnreadableRecord": Trouble(
        "Unreadable record",
        "One record of an answer lacks a field that is needed, or has it in another form. That record alone is left "
        "out; metadata is asked for again after a day, and so is a ranking, for three days or, of an older day, once.",
        "See the remarks of the asset in Dagster's UI, and report the record to Soundcharts; everything else goes on.",
    ),
    "NoAccount": Trouble(
        "No account",
        "The track or artist has no account on the platform that was asked for. That is an answer and no failure; it "
        "is asked again after `metadata_refresh_days`.",
        "Nothing; if the account is new, `soundcharts-pipeline forget --platform PLATFORM` lets it be asked for now.",
        otherwise=["Nothing; if the account is new, `soundcharts-pipeline forget` lets it be asked for now."],
    ),
    "WrongPlatform": Trouble(
        "Platform that an endpoint does not have",
        "The endpoint knows no such platform, whoever is asked about. Not every platform of Soundcharts has every "
        "kind of series.",
        "Take PLATFORM out of `track_audience_platforms` or `artist_audience_platforms` in charts.yaml; docs/api.md "
        "lists what there is.",
        otherwise=["Name a platform that the endpoint has; docs/api.md lists what there is."],
    ),
    "EndpointRefuses": Trouble(
        "Everything refused",
        "Everything that the run asked of one endpoint was refused in the same way, so it is the server, the plan or "
        "a setting, and no single track or artist. Nothing of it was kept, and after a few calls no more were made.",
        "Try again with `soundcharts-pipeline sync SLUG --date DAY`, which asks once more; `soundcharts-pipeline "
        "doctor` lists what refuses, and a platform that the plan lacks is left out from the next run on.",
        otherwise=[
            "Run it again, which asks once more; `soundcharts-pipeline doctor` lists what refuses, and a platform that "
            "the plan lacks is left out from the next run on."
        ],
    ),
    "IncompleteAnswer": Trouble(
        "Incomplete answer",
        "Soundcharts announced more rows than it gave, or the pages of its answer contradict each other: what they "
        "tell of moved while it was read. Half an answer is not saved.",
        "Run `soundcharts-pipeline sync SLUG --date DAY` again later.",
        otherwise=["Run it again later."],
    ),
    "UnexpectedPayload": Trouble(
        "Unexpected answer",
        "An answer lacks a field that is needed, or has it in another shape, in all of its records or in most places "
        "of a ranking. Nothing of such an answer is saved.",
        "See whether the endpoint has a newer version, and name its path under `endpoints` in charts.yaml "
        "(docs/api.md, Another path).",
    ),
    "StorageUnavailable": Trouble(
        "Database out of reach",
        "The database cannot be opened, or its server does not answer. Nothing is fetched, for there is no place to "
        "keep it.",
        "Do as the message says, and start the server if it is that which does not answer; `soundcharts-pipeline "
        "doctor` tries the database.",
        shared=True,
    ),
    "MonthDetached": Trouble(
        "Month taken out",
        "A month of points was detached from its table and lies where the program would make it anew. Nothing was "
        "changed.",
        "Run the statement that the message gives, as the owner of the tables, or drop that month's table.",
        shared=True,
    ),
    "BuiltOnOurs": Trouble(
        "Built on our tables",
        "Views, keys or functions that others have made hang on tables or views that were to be replaced, and would go "
        "with them. Nothing was changed.",
        "Keep how they are made, as the message says, drop them, repeat the command, and make them again "
        "(docs/production.md, Upgrade).",
        shared=True,
    ),
    "RightsMissing": Trouble(
        "Rights missing",
        "The database is there, and its user may not do what was asked. Nothing of it was done.",
        "Have granted what the message names, or set SOUNDCHARTS_DATABASE_URL to a user that has it "
        "(docs/production.md, Roles); `soundcharts-pipeline doctor` says what a user lacks to save.",
        shared=True,
    ),
    "StateUnavailable": Trouble(
        "Dagster's state out of reach",
        "Dagster could not note how a run goes, for its disk is full or its database is locked. What was fetched is in "
        "the warehouse all the same.",
        "Make room where DAGSTER_HOME is, or end the process that holds it, then run the same command again: what is "
        "saved costs no call.",
        shared=True,
    ),
    "StorageBusy": Trouble(
        "Database busy",
        "Another process held the database for longer than a minute. The transaction was taken back, so nothing is "
        "half saved.",
        "Find out what holds it (a backup, a BI tool, a network disk), then run `soundcharts-pipeline sync SLUG "
        "--date DAY`; with many processes use PostgreSQL (docs/background-runs.md).",
        otherwise=[
            "Find out what holds it (a backup, a BI tool, a network disk), then run it again; with many processes use "
            "PostgreSQL (docs/background-runs.md)."
        ],
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
    "ForeignArchive": Trouble(
        "Archive of another database",
        "The archive's folder names another database than the one that is to be archived. No file is damaged, and "
        "nothing was changed.",
        "Set SOUNDCHARTS_DATA_DIR to a folder of this database's own; only for its own folder, after a restore, do as "
        "the message says.",
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
    "InUse": Trouble(
        "Database in use",
        "A restore replaces everything, and runs or other programs have the database open. Nothing was changed.",
        "End what the message names, `dev` and `serve` first, then repeat the command. With `--force` it is replaced "
        "under them, and what they save at that moment is lost or added to the restored data.",
    ),
    "ValueOutOfRange": Trouble(
        "Value out of range",
        "Soundcharts gave a value that its column cannot hold. The transaction was taken back.",
        "Report the row that the message names to Soundcharts; the other days and platforms can be run meanwhile.",
    ),
    "RowsLost": Trouble(
        "Rows lost",
        "Two rows of an answer are the same to the database though they differ, so that one of them would be lost. "
        "Nothing of the answer was saved.",
        "Run it again; if the message names the same rows, report it with the message. The other days and platforms "
        "can be run meanwhile.",
    ),
    STALE: Trouble(
        "Freshness breach",
        "No newer ranking of the chart was saved for two and a half periods of its schedule, or weeks of a weekly "
        "chart. Its runs fail, none is started, or Soundcharts is late.",
        "See Automation and Runs in Dagster's UI for the chart; `soundcharts-pipeline sync SLUG` fetches the newest "
        "ranking and says what is in the way.",
        otherwise=[
            "See Automation and Runs in Dagster's UI; `soundcharts-pipeline sync` of the chart says what is in the way."
        ],
    ),
    QUOTA_LOW: Trouble(
        "Quota low",
        "Fewer billed calls are left in this term than SOUNDCHARTS_NOTIFY_QUOTA. At zero every run stops where it is.",
        "See what each chart costs with `soundcharts-pipeline plan`, then drop platforms or charts, or buy a larger "
        "plan.",
        shared=True,
    ),
    CHECK_FAILED: Trouble(
        "Check failed",
        "The data was saved, and does not hold what the check promises. The check's numbers in Dagster's UI say by "
        "how much.",
        "Open the asset's Checks in the UI, and run the days again with `soundcharts-pipeline sync SLUG --date DAY`.",
        otherwise=["Open the asset's Checks in the UI, and run it again."],
    ),
    RUN_FAILED: Trouble(
        "Run ended from outside",
        "The run did not start, or its process is gone: killed, out of memory, or the machine was switched off. What "
        "it had saved stays.",
        "See the machine's log for the reason. The healing sensor requests days of the last `heal_days` of an active "
        "chart again; any other is yours to ask for: `soundcharts-pipeline sync SLUG --date DAY`.",
        otherwise=[
            "See the machine's log for the reason. The healing sensor requests days of the last `heal_days` of an "
            "active chart again; anything else is yours to start again."
        ],
    ),
    CANCELED: Trouble(
        "Run canceled",
        "Somebody ended the run. What it had saved stays, and nothing starts its days again by itself.",
        "Start it again when it is wanted: `soundcharts-pipeline sync SLUG --date DAY`.",
        otherwise=["Start it again when it is wanted."],
    ),
    GIVEN_UP: Trouble(
        "Backfill given up",
        "A backfill goes on only while charts.yaml has all of its charts and days: one was taken out, or the earliest "
        "`first_date` is later now. Dagster ended all of it; what its runs had saved stays.",
        "Launch the days that are left again, in Dagster's UI or with `soundcharts-pipeline sync SLUG --date DAY`; the "
        "healing sensor requests the newest of them by itself.",
        otherwise=[
            "Launch the days that are left again, in Dagster's UI; the healing sensor requests the newest of them "
            "by itself."
        ],
    ),
    UNKNOWN: Trouble(
        "Anything else",
        "The failure is none that this program foresees. It may be a mistake of ours.",
        "Read the run's log in Dagster's UI, run `soundcharts-pipeline doctor`, and report both.",
    ),
}
