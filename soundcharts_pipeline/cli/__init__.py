"""The command `soundcharts-pipeline`: arguments to calls, printing, exit codes.

One module for each command, loaded when it is used; `main.py` lists them, `help.py` gives each its heading and
example, `exit.py` its ending, `console.py` what it prints with. Programs that stay are in `processes/`. Not here:
rules, SQL, HTTP. What another caller could use belongs in a room below. A run in this process, the one place of the
room that knows Dagster, is `run_in_process.py`.
"""
