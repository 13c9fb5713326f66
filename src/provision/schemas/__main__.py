"""Write the schemas beside this file."""

from __future__ import annotations

from provision.schemas import schema_path
from provision.schemas.generate import texts

if __name__ == "__main__":
    for kind, text in texts().items():
        schema_path(kind).write_text(text, encoding="utf-8")
