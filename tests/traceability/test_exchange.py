# SPDX-License-Identifier: Apache-2.0
"""What goes out in ReqIF comes back in by an independent reader, with every id and every link."""

from __future__ import annotations

from pathlib import Path

import pytest
from reqif.parser import ReqIFParser

from radiomicnet_md_traceability import exchange, graph

pytestmark = pytest.mark.verifies("SRS-TRC-007")


def test_every_requirement_comes_back_with_its_parents(root: Path) -> None:
    seen = graph.build(root, structure=True)
    text = exchange.render(seen)
    assert text == exchange.render(seen)
    bundle = ReqIFParser.parse_from_string(text)
    content = bundle.core_content.req_if_content
    names = {found.identifier: found.long_name for found in content.spec_objects}
    assert set(names.values()) >= {
        item.id for kind in ("user_need", "system", "software") for item in seen.items.of(kind)
    }
    links = {(names[link.source], names[link.target]) for link in content.spec_relations}
    for kind in ("system", "software"):
        for item in seen.items.of(kind):
            assert {(item.id, parent) for parent in item.links("parents")} <= links
    texts = {value.value for found in content.spec_objects for value in found.attributes}
    assert {item.values["text"] for item in seen.items.of("software")} <= texts
