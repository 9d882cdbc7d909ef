# SPDX-License-Identifier: Apache-2.0
"""One table a class of values: IBSI code, formula, unit, where undefined, reference value, tolerance and source.

Code, reports, tests and the reference page read these tables; :mod:`radiomicnet_md.radiomics.lesion_definitions`
joins them.
"""
