# SPDX-License-Identifier: Apache-2.0
"""Who a record is about, what forbids to erase it, and how it is erased while every proof of it still holds."""
