"""What every column means, once: the comment of a column is what PostgreSQL keeps (`comments`), Dagster's UI shows and
docs/tables.md prints.

A column that needs words of its own where it is defined has them there. The others get theirs here, by table or view;
names that mean the same wherever nothing else is said stand first.
"""

from collections.abc import Iterable

from sqlalchemy import Table

EVERYWHERE = {
    "chart_slug": "the chart, in charts",
    "rank_date": "the day of the ranking",
    "track_uuid": "the track, in tracks",
    "artist_uuid": "the artist, in artists",
    "genre_id": "the genre, in genres",
    "uuid": "the track or artist",
    "chart": "name of the chart",
    "track": "title of the track",
    "credit_name": "the artists as printed",
    "isrc": "code of the recording; an attribute and no identity",
    "release_date": "when it was released; null where no whole day is known",
    "position": "which place, as the chart numbers it; 1 is the top",
    "metric_type": "what `metric` counts; null where the platform says nothing",
    "entry_date": "as the API gives it; often null",
    "time_on_chart": "so many days or weeks, by time_on_chart_unit",
    "best_position": "best place in any stored ranking",
    "first_ranked": "day of the first stored ranking that has it",
    "last_ranked": "day of the last stored ranking that has it",
    "date": "the day",
    "entity": "track or artist",
    "platform": "code of the platform, such as spotify",
    "metric": "what is counted, such as streams, views or followers",
    "identifier": "the platform's own id of the recording, of which a track may have several; '' where there is none",
    "fetched_at": "when it was saved or last changed",
    "noted_at": "when it was noted",
    "scope": "kind of question, such as track/metadata or artist/spotify/followers",
    "table_name": "which table",
    "image_url": "address of the picture",
    "app_url": "page on Soundcharts, which wants a login",
    "web_url": "page on the web",
    "slug": "name in addresses, as Soundcharts has it",
}
OF_TABLE = {
    "charts": {
        "slug": "identity of the chart, as Soundcharts has it",
        "name": "what people call it",
        "country_code": "country of the chart; null when worldwide",
        "city_name": "city of the chart; null when it is of no single one",
        "frequency": "daily or weekly",
        "type": "what is ranked: song",
        "max_results": "places, as announced",
        "web_url": "page of the chart",
    },
    "chart_rankings": {
        "entry_state": "as the API gives it; often null",
        "fetched_at": "when this ranking was saved",
    },
    "tracks": {
        "uuid": "identity, as Soundcharts has it",
        "name": "title",
        "duration_seconds": "length, in seconds",
        "explicit": "whether it is marked so",
        "language_code": "language of the lyrics",
        "copyright": "as printed",
        "distributor": "who brings it to the platforms",
        "preview_url": "address of a piece to listen to",
        "labels": "JSON list; a label has name and type",
        "composers": "JSON list of names",
        "producers": "JSON list of names",
        "iswcs": "JSON list: codes of the works",
        "audio_features": "JSON: danceability, energy, tempo, key, mode, valence and others",
        "first_seen_at": "when a ranking first named it",
    },
    "artists": {
        "uuid": "identity, as Soundcharts has it",
        "name": "what people call the artist",
        "display_name": "the same: the API has one name for both",
        "country_code": "where the artist is from",
        "city_name": "where the artist is from",
        "biography": "text, as Soundcharts has it",
        "career_stage": "Soundcharts' own class, as text",
        "growth_level": "Soundcharts' own class, as text",
        "gender": "as Soundcharts has it; often null",
        "type": "person, group or another",
        "birth_date": "day of birth; null where it is not known",
        "isni": "code of the name (ISO 27729)",
        "ipi": "code of the interested party",
        "first_seen_at": "when a track first credited the artist",
    },
    "track_artists": {"role": "main, featured, or credited (everybody)"},
    "genres": {"id": "number of this database", "root": "the genre that it belongs to"},
    "series": {"id": "number of this database, which its points carry"},
    "places": {
        "id": "number of this database, which located points carry",
        "country_code": "code of the country",
        "region": "part of the country; may be ''",
        "city_name": "city; '' for a whole country",
    },
    "points": {
        "series_id": "whose and of what, in series",
        "day": "the day; on SQLite days since 1970-01-01",
        "value": "as the API gave it",
    },
    "located_points": {
        "series_id": "whose and of what, in series",
        "day": "the day; on SQLite days since 1970-01-01",
        "place_id": "where, in places",
        "value": "listeners, views or followers there",
    },
    "artist_audience": {
        "value": "as the API gave it: monthly_listeners a rolling figure, followers a level, views of the day",
    },
    "artist_audience_geo": {
        "country_code": "where",
        "region": "part of the country; may be ''",
        "city_name": "city; '' for a whole country",
        "value": "listeners, views or followers there",
    },
    "audience_trends": {
        "peak_date": "the first day of the peak",
        "daily_peak": "the most that was gained in one day",
        "daily_peak_date": "the first day of it",
    },
    "audience_asks": {
        "start_date": "first day of the window",
        "end_date": "last day of the window",
        "asked_at": "when it was answered",
    },
    "tombstones": {"scope": "metadata, or platform/metric", "reason": "what the API said"},
    "api_usage": {
        "day": "UTC day",
        "endpoint": "which question",
        "calls": "calls made",
        "billed": "calls that cost quota",
        "errors": "answers of 400 and above, and none at all; an account that does not exist is no error",
        "throttled": "answers of 429",
        "quota_remaining": "billed calls left, as last seen that day",
    },
    "storage_sizes": {
        "reported_at": "when the report was made",
        "rows": "rows of it",
        "table_bytes": "bytes of its rows",
        "index_bytes": "bytes of its indexes",
    },
    "sync_progress": {
        "run_id": "Dagster's id of the run",
        "step": "the asset",
        "done": "entities that are done",
        "total": "entities that there are to do",
        "updated_at": "when it was last said",
    },
    "claims": {
        "subject": "what is asked about, such as a series of a track or the ranking of a day; run/... is a run at work"
    },
    "alerts": {"message": "what happened and what to do, as people are told", "since": "when it happened first"},
    "facts": {"name": "what it is about; source is where the data comes from", "value": "what was learnt"},
    "rate_gate": {"id": "always 1"},
    "rate_slots": {"taken_until": "end of that moment", "calls": "calls taken in it"},
    "archived_months": {"month": "its first day", "archived_at": "when its files were verified"},
    "audience_latest": {"value": "as the API gave it"},
    "artist_audience_geo_latest": {
        "country_code": "where",
        "region": "part of the country; may be ''",
        "value": "listeners, views or followers there",
    },
    "coverage_gaps": {"days": "how many days are missing"},
    "track_overview": {"uuid": "the track, in tracks", "name": "title"},
    "artist_overview": {
        "uuid": "the artist, in artists",
        "name": "what people call the artist",
        "country_code": "where the artist is from",
        "city_name": "where the artist is from",
        "career_stage": "Soundcharts' own class, as text",
        "growth_level": "Soundcharts' own class, as text",
    },
}


def describe(tables: Iterable[Table]) -> None:
    """Give every column that has no comment of its own the words from here."""
    for table in tables:
        of_table = OF_TABLE.get(table.name, {})
        for column in table.columns:
            column.comment = column.comment or of_table.get(column.name) or EVERYWHERE.get(column.name)
