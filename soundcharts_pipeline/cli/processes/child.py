"""`python -m soundcharts_pipeline.cli.processes.child MODULE ARGUMENTS...`: a program that ends with its starter.

The parent holds the other end of standard input, which the kernel closes however the parent ends, kill -9 included.
"""

import runpy
import sys

from soundcharts_pipeline.cli.processes.endings import end_with_stdin, hear_everything
from soundcharts_pipeline.orchestration.dagster_program import go_by_what_is_given

if __name__ == "__main__":
    hear_everything()
    end_with_stdin()
    go_by_what_is_given()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
