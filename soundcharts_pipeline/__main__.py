"""`python -m soundcharts_pipeline` is `soundcharts-pipeline`."""

from soundcharts_pipeline.cli import main

main()
