# SPDX-License-Identifier: Apache-2.0
"""One module a verb: ``arguments(parser)`` says what it takes, ``run(call)`` does it and gives the exit code."""
