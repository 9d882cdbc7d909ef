# SPDX-License-Identifier: Apache-2.0
"""Whether what is said to explain a decision does explain it: measured on the locked device, written as found.

Rules of this package:

- Every figure comes from running the device, or a part of it, once more on something changed; none from asking
  the same sum twice.
- Only centred shares leave this package. An uncentred one is a gate times a constant and says nothing about a case.
- What does not hold is printed like what holds.
"""
