# SPDX-License-Identifier: Apache-2.0
"""Named measurements of an image: per image, per pixel and per region, each with definition, unit and code."""
