"""The operations of the REST API, by subject; each module has a `router`."""
