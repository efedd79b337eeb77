"""What people get as files: the workbook of a chart-day, exports in bulk, pictures.

Made of rows that `storage/queries/` has read; nothing here calls Soundcharts or decides what is synced. Figures that
are computed (growth, streaks) come from `analysis/`, by way of the table `audience_trends`. A new kind of file is a
folder of its own.
"""

# Raised when the same data gives another workbook. Here, for whoever only loads the definitions needs no writer.
WORKBOOK_VERSION = "2"
