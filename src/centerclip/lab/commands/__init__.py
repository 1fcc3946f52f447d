"""Commands of the laboratory: `demo`, `toy-world`, `bench` and `study`."""
