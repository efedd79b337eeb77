"""The internal HTTP API and the dashboard. Reaches Dagster through its GraphQL endpoint alone."""
