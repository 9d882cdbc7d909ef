# SPDX-License-Identifier: Apache-2.0
"""Qualifies the installation that it runs in, and writes down each check with what was expected and what was seen."""
