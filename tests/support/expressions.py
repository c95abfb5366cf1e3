"""Expressions that no rule may have: they could run long, become infinite, or hide a loop in what looks like text."""

from __future__ import annotations

from datetime import date, datetime

from alerts.language.expressions import MOST_CHARACTERS

VARIABLES = {"people": int, "density": float, "status": str, "on": date, "at": datetime, "closed": bool}

HOSTILE = [
    "[1,2,3].all(a, [1,2,3].all(b, a < b))",
    "[1].exists (i, i > 0)",
    "(" * 40 + "closed" + ")" * 40,
    "closed" + " && closed" * MOST_CHARACTERS,
    "density / 0.0 > 1.0",
    "density / people > 0.5",
    "density / 0 > 1",
    "density % people > 1",
    "density / 0e5 > 1",
    # Where one reads a text and another reads code: the loop hides in what looks like a text.
    "''' ' ''' == 'x' || [1,2].all(a, true) || status == ' '",
    '""" " """ == "x" || [1,2].all(a, true) || status == " "',
    r"r'\' == 'a' || [1,2].all(a, true) || status == 'b'",
    r"status == '\'' || [1,2].all(a, true) || status == '\''",
    "b'x' == b'y'",
    "status == 'never ends",
    "[1].all//\n(a, true)",
    # Functions whose work is not in proportion to their text, or that no rule needs.
    "status.matches('(a*)*b')",
    "status.matches('((((a{100}){100}){100}){100})')",
    "cel.bind(a, [1, 1], size(a) > 1)",
    "dyn(status) == 3",
    "[1].transformList(i, v, v) == [1]",
    "{'a': 1}['a'] == 1",
    "google.protobuf.Struct{} == {}",
    "[" * 17 + "1" + "]" * 17 + " == []",
    "closed" + " ? closed : closed" * 30,
    "status" + ".size()" * 80 + " > 1",
    "status" + " + status" * 60 + " == 'x'",
    "1e400 > density",
    "density < 1e308 * 10.0",
    "9" * 400 + " > density",
    "\x00 closed",
    "-" * (MOST_CHARACTERS + 1) + "density > 1",
    "-" * 100 + "density > 1",
    "! " * 100 + "closed",
    ".density > 1",
    "closed || (\n.density > 1)",
    "double('inf') > density",
    "density < double ( 'Infinity' )",
]
"""Each is refused by its text or by CEL's own parser: none is ever evaluated."""

UNBOUNDED = [
    "density / 0E0 > 50",
    "density / 0.0E0 > 5",
    "density / .0 > 5",
    "density / 1e-999 > 5",
    "density / 1e-320 > 5",
    "density / 0.0000000000000000001e-310 > 5",
    "density < double('in'+'f')",
    "density < double(string('inf'))",
    "density < double('1e'+'400')",
    "double(status) > 1",
    "density < double(closed ? 'inf' : '1')",
    "density < double([1, 'inf'][int(1)])",
    "density < double(int('9'))",
    "!(double('nan'+'') > density)",
    "density * .9e300 * .9e300 > 5",
    "density > -.5e400",
    "density > .1e400",
    "density < .9e308 * 10",
    "density > 1e13",
    "density" + " * 1e12" * 30 + " > 5",
    "density < 1e12" + " * 1e12" * 26,
    "density" + " * people" * 20 + " > 5",
    "density" + " / 1e-12" * 25 + " > 5",
    "[density * density * density * density, 1][int(0)]" + " * 1e12" * 25 + " > 5",
    "(closed ? density : people)" + " * density" * 15 + " > 5",
]
"""Each is sound CEL whose arithmetic could be infinite or no number at all, or whose numbers come from texts."""
