"""The root of every error that is a sentence for people: what failed, where, and what to do next.

PipelineError
├── SoundchartsError      a call did not give what it should (api/errors.py has its branches)
├── StorageError          the database did not do what it was asked (storage/errors.py)
├── SettingsError         charts.yaml or a variable is not valid (config/settings.py)
│   └── BadUse            a command cannot do what its arguments say; the message says what to do
├── SyncIncomplete        part of a worklist is still to do (sync/report.py)
├── UpstreamMissing       what an asset builds on is not there (sync/preconditions.py)
│   └── ArchivedTooSoon   it went to the archive before it was complete
├── NothingToExport       no rows for this selection (reports/export)
├── NoRanking             no ranking of this day is stored (analysis/days.py)
├── DagsterUnreachable    Dagster's webserver gives no answer (admin/state)
├── LaunchRefused         it answers, and does not start the run (admin/state)
└── Gone                  a program of ours does not stay up (cli/processes/supervisor.py)

Commands end with its message, steps fail with it, pages show it. Anything else is a mistake of ours, and is shown with
its traceback. The remedy of each is in troubleshooting.py, by the name of its class.
"""


class PipelineError(Exception):
    """Something that people can act on; `str()` is the whole sentence."""
