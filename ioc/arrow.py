"""Arrow, loaded when it is first used: it takes 45 MB of a process, and a role that opens no file needs none of it."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq
else:

    class _Later(ModuleType):
        """Stands for a module until somebody asks it for something; from then on it has all that the module has."""

        def __getattr__(self, name: str) -> Any:
            module = import_module(self.__name__)
            self.__dict__.update(vars(module))
            return getattr(module, name)

    pa, pc, pq = _Later("pyarrow"), _Later("pyarrow.compute"), _Later("pyarrow.parquet")

__all__ = ["pa", "pc", "pq"]
