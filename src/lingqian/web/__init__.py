"""Web: the HTTP API, server-sent events and static pages."""
