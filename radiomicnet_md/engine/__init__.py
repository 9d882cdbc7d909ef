# SPDX-License-Identifier: Apache-2.0
"""From verified bytes and an image to a decision, without opening a file, a socket or a database on the way."""
