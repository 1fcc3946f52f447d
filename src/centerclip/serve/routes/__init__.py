"""The operations of the REST API, by subject. Each module has a `router`."""
