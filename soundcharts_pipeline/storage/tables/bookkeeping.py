"""Tables about the work rather than about music: what was asked, spent, claimed, learnt and archived, what is
wrong, how far runs are, and when calls may leave. The same conventions as in `storage.schema`.
"""

from sqlalchemy import BigInteger, Column, Date, Index, Integer, MetaData, String, Table

from soundcharts_pipeline.storage.tables.columns import UtcDateTime, key

# Whoever needs every table takes it from `storage.schema`, which adds its own.
metadata = MetaData(
    naming_convention={"pk": "pk_%(table_name)s", "ix": "ix_%(table_name)s_%(column_0_N_name)s"},
)

audience_asks = Table(
    "audience_asks",
    metadata,
    key("entity"),
    key("uuid"),
    key("platform"),
    key("metric"),
    key("start_date", Date),
    key("end_date", Date),
    Column("settled_date", Date, comment="last day that no later call can change; null: none yet"),
    Column("asked_at", UtcDateTime, nullable=False),
    comment="One answered window of one series (entity: track or artist)",
)

tombstones = Table(
    "tombstones",
    metadata,
    key("entity"),
    key("uuid"),
    key("scope"),
    Column("reason", String, nullable=False),
    Column("noted_at", UtcDateTime, nullable=False),
    comment="Something the API does not have (scope: metadata, or platform/metric), not asked again for a while",
)

endpoint_states = Table(
    "endpoint_states",
    metadata,
    key("scope"),
    Column("answered_at", UtcDateTime, comment="when it last gave something (noted once a day)"),
    Column("refused_since", UtcDateTime, comment="since when it refuses everything; null: it does not"),
    Column("refused_at", UtcDateTime, comment="when it last refused everything that a run asked"),
    Column("refused_runs", Integer, nullable=False, comment="runs in a row that met nothing but refusals"),
    Column("status", Integer, comment="HTTP status of the last refusal, e.g. 403"),
    Column("message", String, comment="text of the last refusal"),
    Column("uuid", String, comment="the entity of the last refusal"),
    Column(
        "silent_since",
        UtcDateTime,
        comment="since when its answers hold nothing; null: it has data for somebody, as far as is known",
    ),
    Column("silent_runs", Integer, nullable=False, comment="runs in a row whose answers held nothing"),
    comment="How one kind of question fares (scope: track/metadata, artist/spotify/followers) when all fare alike",
)

api_usage = Table(
    "api_usage",
    metadata,
    key("day", Date),
    key("endpoint"),
    Column("calls", BigInteger, nullable=False),
    Column("billed", BigInteger, nullable=False),
    Column("errors", BigInteger, nullable=False),
    Column("throttled", BigInteger, nullable=False),
    Column("quota_remaining", BigInteger, comment="billed calls left, as last seen on that day"),
    comment="Calls made on one UTC day to one endpoint",
)

sync_progress = Table(
    "sync_progress",
    metadata,
    key("run_id"),
    key("step"),
    Column("done", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("calls", Integer, comment="calls made for it so far; null: an older version did not say"),
    comment="How far one step of one run is, in entities",
)

claims = Table(
    "claims",
    metadata,
    key("subject"),
    Column("holder", String, nullable=False, comment="host/process/number of the worker"),
    Column("until", UtcDateTime, nullable=False, comment="free for all after this time"),
    Index(None, "holder"),
    comment="Something that a run is asking the API for at this moment",
)

alerts = Table(
    "alerts",
    metadata,
    Column("subject", String, primary_key=True, comment="chart/asset; '' for the whole account"),
    Column("kind", String, primary_key=True, comment="name of the error or situation"),
    Column("what", String, nullable=False, comment="asset, chart and days, for people"),
    Column("message", String, nullable=False),
    Column("link", String, nullable=False, comment="path in Dagster's UI"),
    Column("since", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False, comment="when it last happened"),
    Column("told_at", UtcDateTime, comment="when people were last told; null: not yet"),
    Column("over_at", UtcDateTime, comment="when it recovered, which nobody was told yet; null: it has not"),
    Column("refused_by", String, comment="services that did not take the last message about it"),
    comment="One cause of failures that has not recovered",
)

facts = Table(
    "facts",
    metadata,
    key("name"),
    Column("value", String, nullable=False),
    Column("noted_at", UtcDateTime, nullable=False),
    comment="What was learnt once about the API and need not be asked again",
)

rate_gate = Table(
    "rate_gate",
    metadata,
    key("id", Integer),
    Column("calls", BigInteger, nullable=False, comment="calls taken since the table was made; numbers the calls"),
    Column("blocked_until", UtcDateTime, comment="no call leaves before this time: the server said so"),
    Column(
        "probe_from",
        BigInteger,
        comment="since a pause, calls leave singly until one from this number on was let in; null: as many as fit",
    ),
    Column("server_limit", Integer, comment="calls per minute, as the server last said"),
    Column("heard_call", BigInteger, comment="the newest call whose answer told what is left of the minute"),
    Column("allowed_calls", BigInteger, comment="that call and what was left: numbers the last call allowed"),
    Column("allowed_until", UtcDateTime, comment="when that minute is over"),
    Column("quota_left", BigInteger, comment="billed calls certainly left of the term; null: the server was not asked"),
    Column(
        "calls_out",
        Integer,
        nullable=False,
        server_default="0",
        comment="billed calls taken that are not known to be back; none a minute after the last one",
    ),
    Column("quota_taken_at", UtcDateTime, comment="when billed calls were last taken"),
    comment="When calls may leave, for all processes: one row",
)

rate_slots = Table(
    "rate_slots",
    metadata,
    key("taken_until", UtcDateTime),
    Column("calls", Integer, nullable=False),
    comment="Calls taken in one moment of the last minute (a quarter of a second that ends then)",
)

archived_months = Table(
    "archived_months",
    metadata,
    key("table_name"),
    key("month", Date),
    Column("archived_at", UtcDateTime, nullable=False),
    Column("files", Integer, comment="as many as the month had then"),
    comment="One month of one table (month: its first day) whose rows are, all or some, in the archive's files",
)

storage_sizes = Table(
    "storage_sizes",
    metadata,
    key("reported_at", UtcDateTime),
    key("table_name"),
    Column("rows", BigInteger, nullable=False),
    Column("table_bytes", BigInteger, nullable=False),
    Column("index_bytes", BigInteger, nullable=False),
    comment="How large one table was when a storage report was made",
)
