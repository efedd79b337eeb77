"""Soundcharts charts, tracks, artists and audience series, complete and current in your own database."""
