"""The bench: what clustering, encoding, decoding, indexing, searching and training cost on this machine.

Figures are ratios to rivals measured in the same run. What is measured is used through its public interface.
"""
