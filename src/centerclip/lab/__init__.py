"""The laboratory: the drawn toy world, benchmarks, studies, and the commands that run them.

It imports the product; the product never imports it, and finds its commands by name.
"""
