# SPDX-License-Identifier: Apache-2.0
"""The reviewer's page and its REST API: what the log proves is shown, nothing else, and nothing leaves the machine."""
