# SPDX-License-Identifier: Apache-2.0
"""Whether what the device is given, and what it answers, is still like the reference: an alarm, and nothing else.

Rules of this room:

- It reads the log. It writes no record, changes no limit and no decision, and adapts nothing: what an alarm means is
  for people to find out.
- Two sources of a reference, always named: the release, where it carries a value's distribution, else the first
  files of this home.
- The share of runs that would cry wolf is declared, and a test simulates it.
"""
