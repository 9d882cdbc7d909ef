# SPDX-License-Identifier: Apache-2.0
"""The trace in ReqIF 1.2, for tools that keep requirements in a database; identifiers and time follow from the items.

Needs the package ``reqif`` of the extra ``evidence``.
"""

from __future__ import annotations

import hashlib
from typing import Any

from radiomicnet_md_audit.errors import ConfigurationError
from radiomicnet_md_traceability import status
from radiomicnet_md_traceability.graph import Graph
from radiomicnet_md_traceability.load import Item

_KINDS = ("user_need", "system", "software", "design", "labelling", "hazard", "control", "threat")
_FIELDS = ("id", "title", "text", "measure", "status")
_NO_RESULTS = "1970-01-01T00:00:00Z"


def render(graph: Graph) -> str:
    """Every need, requirement, design, hazard, control and threat, and the links between them.

    Raises:
        ConfigurationError: the package ``reqif`` is not installed (``E-TRACE-REQIF``).
    """
    try:
        from reqif.models import reqif_core_content, reqif_namespace_info, reqif_req_if_content, reqif_reqif_header
        from reqif.object_lookup import ReqIFObjectLookup
        from reqif.reqif_bundle import ReqIFBundle
        from reqif.unparser import ReqIFUnparser
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "E-TRACE-REQIF", "ReqIF needs the package reqif.", remedy='Install "radiomicnet-md[evidence]".'
        ) from error
    time = _NO_RESULTS if graph.results is None else graph.results.started
    header = reqif_reqif_header.ReqIFReqIFHeader(
        identifier=_key("header"), creation_time=time, req_if_tool_id="radiomicnet-md", req_if_version="1.0",
        source_tool_id="radiomicnet-md", title="RadiomicNet-MD trace",
    )  # fmt: skip
    items = [item for kind in _KINDS for item in graph.items.of(kind)]
    content = reqif_req_if_content.ReqIFReqIFContent(
        data_types=_data_types(time),
        spec_types=_types(time),
        spec_objects=[_object(graph, item, time) for item in items],
        spec_relations=_relations(graph, {item.id for item in items}, time),
        specifications=[_specification(items, time)],
        spec_relation_groups=None,
    )
    bundle = ReqIFBundle(
        namespace_info=reqif_namespace_info.ReqIFNamespaceInfo.create_default(),
        req_if_header=header,
        core_content=reqif_core_content.ReqIFCoreContent(content),
        tool_extensions_tag_exists=False,
        lookup=ReqIFObjectLookup.empty(),
        exceptions=[],
    )
    return str(ReqIFUnparser.unparse(bundle))


def _key(name: str) -> str:
    """An XML identifier that follows from a name."""
    return f"_{hashlib.sha256(name.encode('utf-8')).hexdigest()[:32]}"


def _data_types(time: str) -> list[Any]:
    from reqif.models.reqif_data_type import ReqIFDataTypeDefinitionString

    return [ReqIFDataTypeDefinitionString(_key("string"), last_change=time, long_name="String", max_length="32000")]


def _types(time: str) -> list[Any]:
    from reqif.models.reqif_spec_object_type import ReqIFSpecObjectType, SpecAttributeDefinition
    from reqif.models.reqif_spec_relation_type import ReqIFSpecRelationType
    from reqif.models.reqif_specification_type import ReqIFSpecificationType
    from reqif.models.reqif_types import SpecObjectAttributeType

    def definitions(kind: str) -> list[Any]:
        return [
            SpecAttributeDefinition(
                attribute_type=SpecObjectAttributeType.STRING,
                identifier=_key(f"{kind}.{name}"),
                datatype_definition=_key("string"),
                last_change=time,
                long_name=name,
            )
            for name in _FIELDS
        ]

    objects = [
        ReqIFSpecObjectType(_key(kind), last_change=time, long_name=kind, attribute_definitions=definitions(kind))
        for kind in _KINDS
    ]
    relation = ReqIFSpecRelationType(_key("link"), last_change=time, long_name="link")
    return [*objects, relation, ReqIFSpecificationType(_key("trace"), last_change=time, long_name="trace")]


def _object(graph: Graph, item: Item, time: str) -> Any:  # noqa: ANN401 - reqif is imported where it is needed
    from reqif.models.reqif_spec_object import ReqIFSpecObject, SpecObjectAttribute
    from reqif.models.reqif_types import SpecObjectAttributeType

    values = {
        **item.values,
        "text": item.values.get("text") or item.values.get("situation") or item.values.get("attack"),
        "status": status.of_requirement(graph, item.id) if item.kind == "software" else None,
    }
    attributes = [
        SpecObjectAttribute(SpecObjectAttributeType.STRING, _key(f"{item.kind}.{name}"), str(values[name]))
        for name in _FIELDS
        if values.get(name)
    ]
    return ReqIFSpecObject(_key(item.id), attributes, _key(item.kind), last_change=time, long_name=item.id)


def _relations(graph: Graph, known: set[str], time: str) -> list[Any]:
    from reqif.models.reqif_spec_relation import ReqIFSpecRelation

    return [
        ReqIFSpecRelation(
            _key(f"{item.id} {field} {target}"),
            _key("link"),
            _key(item.id),
            _key(target),
            last_change=time,
            long_name=field,
        )
        for item, field, target in graph.links()
        if item.id in known and target in known
    ]


def _specification(items: list[Item], time: str) -> Any:  # noqa: ANN401 - as above
    from reqif.models.reqif_spec_hierarchy import ReqIFSpecHierarchy
    from reqif.models.reqif_specification import ReqIFSpecification

    children = [
        ReqIFSpecHierarchy(identifier=_key(f"place of {item.id}"), spec_object=_key(item.id), level=1, last_change=time)
        for item in items
    ]
    return ReqIFSpecification(
        _key("specification"),
        last_change=time,
        long_name="RadiomicNet-MD",
        specification_type=_key("trace"),
        children=children,
    )
