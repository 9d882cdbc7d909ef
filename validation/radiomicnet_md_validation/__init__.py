# SPDX-License-Identifier: Apache-2.0
"""Judges the device: metrics that count misses, and the suites that use them."""
