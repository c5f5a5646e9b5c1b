"""What OpenAPI says of a row that was asked for in part (`fields`) or with relations beside it (`include`).

Nothing of such an answer is always there, so its schema requires nothing. The whole row keeps a schema that requires all: a
client generated from the document gets the one for what it does all day, and the other for what it asks for now and then.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from colonnade.models.facts import TableFacts, read_facts
from colonnade.schemas.derive import unset

Relations = Mapping[str, type[BaseModel]]


def derive_part(name: str, whole: type[BaseModel], facts: TableFacts, relations: Relations) -> type[BaseModel]:
    """Make the schema of a row in part: each field and each relation may be there.

    Args:
        name: of the schema.
        whole: the response.
        facts: the table.
        relations: path -> schema of what may be shown beside a row, at most two deep.
    """
    extra = whole.model_config.get("json_schema_extra")

    def loosen(schema: dict[str, Any]) -> None:
        schema.update(extra if isinstance(extra, dict) else {})
        schema["title"] = name
        schema.pop("required", None)

    class Part(_beside(whole, facts, relations)):  # type: ignore[misc]  # a class known at run time
        model_config = ConfigDict(json_schema_extra=loosen)

    text = "A row as `fields` and `include` ask for it: some of its fields, and relations beside them."
    loose: type[BaseModel] = Part
    made: type[BaseModel] = create_model(name, __base__=loose, __module__=whole.__module__, __doc__=text)
    return made


def _beside(schema: type[BaseModel], facts: TableFacts, relations: Relations) -> type[BaseModel]:
    """Add relations that may be there; a dotted path goes into the schema of the relation that it begins with."""
    fields: dict[str, Any] = {}
    for key, shown in relations.items():
        if "." not in key:
            relation = facts.relations[key]
            below = {path.partition(".")[2]: inner for path, inner in relations.items() if path.startswith(f"{key}.")}
            inner = _beside(shown, read_facts(relation.target), below) if below else shown
            kind: Any = list[inner] if relation.to_many else inner | None  # type: ignore[valid-type]
            fields[key] = (kind, Field(default_factory=unset))
    if not fields:
        return schema
    name = f"{schema.__name__}With{''.join(key.title().replace('_', '') for key in fields)}"
    made: type[BaseModel] = create_model(name, __base__=schema, __module__=schema.__module__, **fields)
    return made
