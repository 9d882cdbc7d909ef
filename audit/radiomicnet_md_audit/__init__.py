# SPDX-License-Identifier: Apache-2.0
"""From records to proof: an append-only, signed log that anyone can check without us.

The formats are written down, byte for byte, in ``FORMAT.md`` beside this package. Importing the
package loads nothing heavy; sqlalchemy is imported by ``store`` alone, cryptography by ``sign`` alone.
"""
