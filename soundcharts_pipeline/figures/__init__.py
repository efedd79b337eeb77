"""Values as pictures: SVG text that reads on a light page and on a dark one, small, and the same for the same values.

Knows no database, no web, no Dagster. The pictures are shown as files (`<img>`), so that their own style applies;
text from data stays text.
"""
