# SPDX-License-Identifier: Apache-2.0
"""What a site watches its device by: numbers from the log and the home, for Prometheus, and no word about anybody.

Rules of this package:

- It reads, and needs no passphrase. It writes nothing, and nothing is decided by it.
- Names of files, people and patients, record ids and digests of inputs are in none of it: a label is a state, a code of
  this program, a version, or the digest of a release or of the program.
- A count is of records whose signature was checked when they were read; each is read once.
"""
