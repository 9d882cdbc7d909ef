# SPDX-License-Identifier: Apache-2.0
"""From a folder of images and masks to a signed release, by one command that can be interrupted anywhere."""
