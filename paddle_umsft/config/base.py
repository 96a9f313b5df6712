"""The base of every configuration section: typed and closed."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A group of settings. Unknown keys are refused, and what is assigned later is checked as well."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True, protected_namespaces=())
