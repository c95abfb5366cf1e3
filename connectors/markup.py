"""XML from strangers: no document types, no entities of their own, bounded in size, depth and count."""

from __future__ import annotations

from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from ioc.errors import MalformedPayloadError

MOST_BYTES = 1024 * 1024
MOST_DEPTH = 32
MOST_ELEMENTS = 20_000
_SEPARATOR = "}"


def read_xml(body: bytes) -> Element:
    """Read a document; a tag reads ``{namespace}name`` as in ElementTree.

    Entities, and with them bombs and ways to local files, need a document type; so none is taken.

    Raises:
        MalformedPayloadError: it is too large, too deep, has a document type, or is no XML.
    """
    if len(body) > MOST_BYTES:
        raise MalformedPayloadError(f"XML larger than {MOST_BYTES} bytes is not read")
    growing = _Growing()
    parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = growing.refuse
    parser.StartElementHandler = growing.start
    parser.EndElementHandler = growing.end
    parser.CharacterDataHandler = growing.take_text
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise MalformedPayloadError(f"not XML: {expat.ErrorString(error.code)} in line {error.lineno}") from error
    except (LookupError, ValueError) as error:
        raise MalformedPayloadError("not XML: an encoding that is not known") from error
    return growing.builder.close()


class _Growing:
    def __init__(self) -> None:
        self.builder = TreeBuilder()
        self._depth = 0
        self._count = 0

    def refuse(self, *_: object) -> None:
        raise MalformedPayloadError("XML with a document type (DOCTYPE) is not read")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._count += 1
        if self._depth > MOST_DEPTH:
            raise MalformedPayloadError(f"XML nested deeper than {MOST_DEPTH} is not read")
        if self._count > MOST_ELEMENTS:
            raise MalformedPayloadError(f"XML with more than {MOST_ELEMENTS} elements is not read")
        self.builder.start(_to_tag(name), attributes)

    def end(self, name: str) -> None:
        self._depth -= 1
        self.builder.end(_to_tag(name))

    def take_text(self, text: str) -> None:
        self.builder.data(text)


def _to_tag(name: str) -> str:
    return "{" + name if _SEPARATOR in name else name
