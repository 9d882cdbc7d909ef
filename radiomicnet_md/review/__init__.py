# SPDX-License-Identifier: Apache-2.0
"""Shows a person what was decided and why, in pictures, text and one page; it decides nothing itself."""
