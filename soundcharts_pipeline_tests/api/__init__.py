"""Tests of `soundcharts_pipeline.api`."""
