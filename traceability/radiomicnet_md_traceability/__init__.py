# SPDX-License-Identifier: Apache-2.0
"""From a user's need to a test's outcome, and every gap on the way is named."""
