# SPDX-License-Identifier: Apache-2.0
"""Compiled loops of the engine: the network's layers, resampling, and the head."""
