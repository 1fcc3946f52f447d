"""Commands of the laboratory: `demo`, `toy-world`, `bench`, `study` and `pretrained`."""
