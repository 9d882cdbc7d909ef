# SPDX-License-Identifier: Apache-2.0
"""Preset ``paper``: the network of arXiv 2607.02185, rebuilt to be compared with; it is never part of a release.

What the article leaves open is decided in ``docs/adr/0009-the-paper-preset.md``, each with its reason.
"""
