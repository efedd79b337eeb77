"""Alembic's entry point. Runs inside the transaction of the connection it is given."""

from alembic import context

from soundcharts_pipeline.storage import migrations
from soundcharts_pipeline.storage.tables.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=migrations.VERSION_TABLE,
    include_name=migrations.ours,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
