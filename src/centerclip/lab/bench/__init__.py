"""The bench: what clustering, encoding, decoding, indexing, searching and training cost here.

Ratios inside one run, against rivals that run beside what is measured. Knows how to measure and how to tell
of it; what is measured is used through its public face.
"""
