"""HTML pages: developers' page and docs, API reference, browsable API, settings, admin dashboard."""
