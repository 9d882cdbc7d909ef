# SPDX-License-Identifier: Apache-2.0
"""The network as it is trained: floats in, evidence out. The device never runs it; it runs what was locked from it."""
