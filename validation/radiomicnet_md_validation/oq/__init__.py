# SPDX-License-Identifier: Apache-2.0
"""Tests of the installed program through its own commands, that travel with it and run where it runs.

Rules of this package:

- Nothing of the program is imported to be tested: each test starts it as a user does, in homes of its own. What makes
  inputs (the phantom) may be imported.
- A test says what it saw (``seen``) before it asserts; without that its result is INCONCLUSIVE.
- No test rests on the model's quality, on a network, or on data that the package does not bring.
"""
