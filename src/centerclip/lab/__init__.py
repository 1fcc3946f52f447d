"""The laboratory: the drawn toy world, benchmarks, studies, and the commands that run them.

It uses the product; the product never imports it, and finds its commands and its data set by name.
"""
